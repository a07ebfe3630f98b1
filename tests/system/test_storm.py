"""A storm of 100 × the limit while Routers are killed: no minute over it, nothing lost or late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ibs_notify.router.dispositions import State
from ibs_notify.settings import ServiceName
from tests.support.postgres import PostgresServer
from tests.system.storm import Plan, running_rig
from tests.system.test_nothing_is_lost import databases

pytestmark = [pytest.mark.system, pytest.mark.slow]

PLAN = Plan(seconds=12, seed=21)
"""Long enough for a backlog over its bound; a whole minute and more is what ``make storm`` does."""


def blow(directory: Path, urls: Mapping[ServiceName, str] | None = None) -> None:
    with running_rig(directory, PLAN, urls) as rig:
        report = rig.blow()
    assert report.sound, "\n".join(report.lines())
    assert rig.deaths > 0
    for state in (State.HANDED_OFF, State.SUPPRESSED, State.COALESCED, State.COLLAPSED):
        assert report.states[state] > 0, "\n".join(report.lines())


def test_a_storm_breaks_no_promise_while_the_router_is_killed(tmp_path: Path) -> None:
    blow(tmp_path)


def test_a_storm_breaks_no_promise_while_two_routers_are_killed_on_postgresql(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with databases(postgres) as urls:
        blow(tmp_path, urls)
