"""Acknowledged means on disk: the power may be cut at any moment, and SIGKILL cannot show that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.disk import Fate
from tests.system.power_cut import run

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.peer]

CUTS = 120
EVENTS = 300


@pytest.fixture(autouse=True)
def strace(need_peer: Callable[[str, str], str]) -> None:
    need_peer("strace", "strace")


def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for report in run(tmp_path, cuts=CUTS, seed=21, events=EVENTS, per_run=CUTS):
        assert report.sound, "\n".join(report.lines())
        assert report.cuts == dict.fromkeys(Fate, CUTS // len(Fate))
        assert report.checkpoints > 0


def test_the_replay_convicts_services_that_answer_before_they_sync(tmp_path: Path) -> None:
    for report in run(tmp_path, cuts=CUTS, seed=22, events=EVENTS, per_run=CUTS, careless=True):
        assert len(report.lost) > CUTS // 10, "\n".join(report.lines())
        # What synchronous=NORMAL still promises.
        assert not report.damaged
