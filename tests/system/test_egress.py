"""No target reaches where it must not, whatever it is called and however it gets there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 240

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.peer,
    pytest.mark.timeout(MOST_SECONDS + 20),
]


@pytest.fixture
def unshare(need_peer: Callable[[str, str], str]) -> list[str]:
    """What starts a program in a network of its own, where this machine allows that."""
    command = [need_peer("unshare", "util-linux"), "--net", "--mount"]
    need_peer("ip", "iproute2")
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
        # Not every kernel lets a user be root in a namespace: then root is the peer it takes.
        if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
            need_peer("root-or-user-namespaces", "linux with user namespaces, or root")
    return command


def test_of_all_ways_to_reach_inside_none_makes_a_connection(
    unshare: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.system.egress", "--processes", str(tmp_path / "home")]
    ran = subprocess.run(
        [*unshare, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    total = re.search(r"(\d+) vectors tried in (\d+) attempts, 0 connects made", ran.stdout)
    assert total is not None, ran.stdout
    assert int(total[1]) >= 200
    assert int(total[2]) >= 6000
