"""A peer can make an attempt fail; it cannot make it last, nor make this service grow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 240

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(MOST_SECONDS + 20)]


def test_no_reply_makes_an_attempt_last_or_takes_more_than_a_little_memory() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.system.hostile_replies"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    met = re.search(
        r"^(\d+) hostile replies in \d+ attempts: .*, 0 faults$", ran.stdout, re.MULTILINE
    )
    assert met is not None, ran.stdout
    assert int(met[1]) >= 100
