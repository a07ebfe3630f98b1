"""Acknowledged means told, or visible: whatever is killed, and whenever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from uuid import uuid4

import pytest

from ibs_notify.settings import SERVICES, ServiceName
from tests.support.postgres import PostgresServer
from tests.system.chaos import FAILPOINTS, Report, running_rig
from tests.system.sinks import Faults

pytestmark = [pytest.mark.system, pytest.mark.slow]

RATE = 300
FAULTS = Faults(delay=0.05, fail=0.02, hang_up=0.01)
DRAIN_SECONDS = 25.0


def assert_sound(report: Report) -> None:
    assert report.verdict.acked > 0
    assert report.verdict.received > 0
    assert report.sound, "\n".join(report.lines())


def test_nothing_is_lost_when_services_are_killed_at_random(tmp_path: Path) -> None:
    with running_rig(tmp_path, seed=11, rate=RATE, faults=FAULTS) as rig:
        rig.kill_at_random(seconds=10)
        assert_sound(rig.finish(DRAIN_SECONDS))


def test_nothing_is_lost_when_a_service_dies_at_any_named_point(tmp_path: Path) -> None:
    with running_rig(tmp_path, seed=12, rate=RATE, faults=FAULTS) as rig:
        for service, points in FAILPOINTS.items():
            rig.hit_failpoints(service, points, most=10)
        report = rig.finish(DRAIN_SECONDS)
        assert_sound(report)
        assert report.faults == {f"at {each}": 1 for each in chain(*FAILPOINTS.values())}


def test_nothing_is_lost_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    with databases(postgres) as urls, running_rig(tmp_path, 13, RATE, urls, FAULTS) as rig:
        rig.kill_at_random(seconds=5)
        assert_sound(rig.finish(DRAIN_SECONDS))


@contextmanager
def databases(postgres: PostgresServer) -> Iterator[dict[ServiceName, str]]:
    """A database for each service."""
    names: dict[ServiceName, str] = {each: f"{each}_{uuid4().hex}" for each in SERVICES}
    for name in names.values():
        postgres.execute(f"CREATE DATABASE {name}")
    yield {service: postgres.url(name) for service, name in names.items()}
    for name in names.values():
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
