"""What was lost by a Pushgateway comes back, what is left behind on one goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from tests.support import keys
from tests.support.delivery import FakeClock, handoff, sendable
from tests.support.http_server import HttpServer
from tests.support.transports import ANYWHERE, event

from ibs_notify.delivery.metrics.book import DurableMetricBook
from ibs_notify.delivery.metrics.gateway_keeper import GatewayKeeper
from ibs_notify.delivery.model import LIFETIME
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.cache import SecretOpener, TransportCache
from ibs_notify.delivery.transports.metric_book import Sample
from ibs_notify.domain.target import PUSHGATEWAY_PASSWORD, PushgatewaySpec, Target
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("delivery")

GROUP = "/metrics/job/ibs/target/metrics"


class Replica:
    """A keeper, and what it knows."""

    def __init__(self, database: Database, key: Path) -> None:
        self.keyring = keys.load_or_create(key)
        self.clock = FakeClock()
        self.outlook = Outlook()
        self.book = DurableMetricBook(database)
        secrets = SecretOpener(keys.keys_of(key))
        build = partial(build_transport, book=self.book, dialler=ANYWHERE)
        self.transports = TransportCache(build, secrets, self.clock)
        self.keeper = GatewayKeeper(
            database, self.outlook, self.transports, self.book, secrets, self.clock, ANYWHERE
        )

    async def see(
        self, *targets: Target, revision: int = 1, unreadable: Mapping[str, str] | None = None
    ) -> None:
        """A new configuration is in force, and the keeper has done what follows."""
        sealed = {
            PUSHGATEWAY_PASSWORD: self.keyring.seal(
                "s3cret", target_uid="t1", field=PUSHGATEWAY_PASSWORD
            )
        }
        self.outlook.snapshot = Snapshot(
            revision=revision,
            targets={target.uid: target for target in targets},
            sealed={target.uid: sealed for target in targets if _username(target)},
            unreadable=unreadable or {},
        )
        self.transports.retire(self.outlook.snapshot)
        await self.keeper.tick()


def _username(target: Target) -> str:
    assert isinstance(target.spec, PushgatewaySpec)
    return target.spec.username


@pytest.fixture
async def replica(database: Database, tmp_path: Path) -> AsyncIterator[Replica]:
    queue = DeliveryQueue(database, FakeClock(), "worker")
    await queue.accept([handoff(1)], sendable)
    await queue.close()
    replica = Replica(database, tmp_path / "secret.key")
    await replica.book.count("t1", "lane", [Sample(1, event())])
    await replica.book.end_turn("t1", "lane")
    yield replica
    await replica.transports.close()


@pytest.fixture
async def gateway() -> AsyncIterator[HttpServer]:
    async with HttpServer(202) as server:
        yield server


def target(http: HttpServer, uid: str = "t1", revision: int = 1, **changes: object) -> Target:
    spec = PushgatewaySpec(http.url(""), "ibs", **changes)  # type: ignore[arg-type]  # only texts are given
    return Target("metrics", uid, spec, revision=revision)


def seen(http: HttpServer) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in http.requests]


async def test_the_totals_are_pushed_again_now_and_then(
    replica: Replica, gateway: HttpServer
) -> None:
    for times in (1, 2):
        await replica.see(target(gateway))
        assert seen(gateway) == [("PUT", GROUP)] * times
    assert b"ibs_events_total{" in gateway.requests[-1].body


async def test_a_gateway_that_does_not_answer_keeps_no_other_from_its_totals(
    replica: Replica, database: Database, gateway: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer_later(_request: web.BaseRequest) -> web.StreamResponse:
        await gateway.until(lambda: len(gateway.requests) > 0)
        return web.Response(status=202)

    queue = DeliveryQueue(database, FakeClock(), "worker")
    await queue.accept([handoff(2)], sendable)
    await queue.close()
    await replica.book.count("t0", "lane", [Sample(2, event())])
    await replica.book.end_turn("t0", "lane")
    async with HttpServer(answer=answer_later) as slow:
        await replica.see(target(slow, "t0"), target(gateway))
    assert len(seen(slow)) == len(seen(gateway)) == 1
    assert "is not refreshed" not in caplog.text


async def test_a_disabled_target_is_left_alone(replica: Replica, gateway: HttpServer) -> None:
    spec = PushgatewaySpec(gateway.url(""), "ibs")
    await replica.see(Target("metrics", "t1", spec, disabled=True))
    assert seen(gateway) == []


async def test_while_the_queue_is_held_nothing_is_pushed_and_nothing_removed(
    replica: Replica, gateway: HttpServer
) -> None:
    replica.outlook.is_held = True
    await replica.see(target(gateway))
    await replica.see(revision=2)
    assert seen(gateway) == []
    replica.outlook.is_held = False
    await replica.keeper.tick()
    assert seen(gateway) == [("DELETE", GROUP)]


async def test_the_group_of_a_target_that_a_later_release_has_changed_stays(
    replica: Replica, gateway: HttpServer
) -> None:
    await replica.see(target(gateway))
    await replica.see(revision=2, unreadable={"t1": "metrics"})
    assert seen(gateway) == [("PUT", GROUP)]
    await replica.see(target(gateway, revision=3), revision=3)
    assert [method for method, _ in seen(gateway)] == ["PUT", "PUT"]


async def test_the_group_of_a_deleted_target_is_removed_with_its_secret_and_its_totals_forgotten(
    replica: Replica, gateway: HttpServer
) -> None:
    await replica.see(target(gateway, username="ibs"))
    await replica.see()
    assert seen(gateway) == [("PUT", GROUP), ("DELETE", GROUP)]
    assert gateway.requests[-1].headers["Authorization"] == "Basic aWJzOnMzY3JldA=="
    assert await replica.book.count("t1", "me", ()) == []
    await replica.see()
    assert len(gateway.requests) == 2


async def test_a_group_is_removed_also_after_a_restart(
    replica: Replica, gateway: HttpServer, database: Database, tmp_path: Path
) -> None:
    await replica.see(target(gateway))
    later = Replica(database, tmp_path / "secret.key")
    await later.see()
    assert seen(gateway)[-1] == ("DELETE", GROUP)


async def test_every_replica_removes_the_group_after_its_own_last_push(
    replica: Replica, gateway: HttpServer, database: Database, tmp_path: Path
) -> None:
    behind = Replica(database, tmp_path / "secret.key")
    await replica.see(target(gateway))
    await behind.see(target(gateway))
    await replica.see()
    await behind.see()
    assert seen(gateway).count(("DELETE", GROUP)) == 2
    await behind.transports.close()


async def test_a_replica_that_is_behind_removes_nothing_that_it_does_not_know_yet(
    replica: Replica, gateway: HttpServer, database: Database, tmp_path: Path
) -> None:
    behind = Replica(database, tmp_path / "secret.key")
    await replica.see(target(gateway, revision=7), revision=7)
    await behind.see(revision=6)
    assert seen(gateway) == [("PUT", GROUP)]
    assert await behind.book.count("t1", "me", ()) != []
    await behind.book.end_turn("t1", "me")
    await behind.see(revision=7)
    assert seen(gateway)[-1] == ("DELETE", GROUP)


async def test_a_target_that_moves_leaves_nothing_behind_and_keeps_its_totals(
    replica: Replica, gateway: HttpServer
) -> None:
    async with HttpServer(202) as other:
        await replica.see(target(gateway))
        await replica.see(target(other))
        assert seen(gateway) == [("PUT", GROUP), ("DELETE", GROUP)]
        assert seen(other) == [("PUT", GROUP)]
        assert b" 1.0" in other.requests[-1].body


async def test_a_group_that_a_new_target_of_the_same_name_has_is_not_removed(
    replica: Replica, gateway: HttpServer
) -> None:
    await replica.see(target(gateway))
    await replica.see(target(gateway, uid="t2"))
    assert ("DELETE", GROUP) not in seen(gateway)
    assert await replica.book.count("t1", "me", ()) == []


async def test_a_gateway_that_is_away_is_asked_again_until_it_is_given_up(
    replica: Replica, gateway: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    await replica.see(target(gateway))
    gateway.status = 503
    await replica.see()
    await replica.see()
    assert seen(gateway).count(("DELETE", GROUP)) == 2
    assert caplog.text.count("stays on its gateway") == 1
    replica.clock.moment += LIFETIME
    await replica.see()
    assert "is given up" in caplog.text
    await replica.see()
    assert seen(gateway).count(("DELETE", GROUP)) == 3


async def test_a_refresh_that_fails_is_told_once(
    replica: Replica, gateway: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.status = 503
    for _ in range(3):
        await replica.see(target(gateway))
    assert caplog.text.count("is not refreshed") == 1
