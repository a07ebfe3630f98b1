"""What ``emit`` returned for reaches the Router once, whoever is killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from ibs_notify.client import Notifier
from tests.system.installation import running_installation, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ROUNDS = 3
EVENTS_A_ROUND = 200
SECONDS = 30.0
EMITTER = """if True:
    import os, sys
    from ibs_notify.client import Notifier
    address, spool, log = sys.argv[1:]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Notifier(address, spool=spool) as notifier:
        while True:
            os.write(file, f"{notifier.emit('backup.completed').event_id}\\n".encode())
"""


def emitted(log: Path) -> list[str]:
    """The ids of whole lines."""
    return log.read_text().split("\n")[:-1] if log.exists() else []


def has_emitted(log: Path, number: int) -> bool:
    return len(emitted(log)) >= number


def test_a_spool_loses_and_doubles_nothing_when_emitter_and_router_are_killed(
    tmp_path: Path,
) -> None:
    spool, log = tmp_path / "spool", tmp_path / "emitted"
    with running_installation(tmp_path / "home") as installation:
        router = installation.services["router"]
        for number in range(ROUNDS):
            emitter = subprocess.Popen(
                [sys.executable, "-c", EMITTER, router.address, str(spool), str(log)], cwd=ROOT
            )
            enough = (number + 1) * EVENTS_A_ROUND
            until(partial(has_emitted, log, enough), "events are emitted", SECONDS)
            installation.kill("router")
            emitter.kill()
            emitter.wait()
            if number < ROUNDS - 1:
                installation.start_and_wait("router")
        installation.start_and_wait("router")
        with Notifier(router.address, spool=spool) as notifier:
            notifier.flush(SECONDS)
        kept = Counter(each.event.event_id for each in installation.inbox())
    assert len(emitted(log)) >= ROUNDS * EVENTS_A_ROUND
    assert not set(emitted(log)) - kept.keys()
    assert kept.most_common(1)[0][1] == 1
