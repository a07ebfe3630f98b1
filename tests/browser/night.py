"""The installation that tests, screenshots and trials look at: a week old, and busy.

It is filled in process, under a clock that runs through the week, and then served by processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.config.app import ConfigApp
from ibs_notify.console.api import Api, Channels, claiming
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.router.app import RouterApp
from ibs_notify.settings import load
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as delivery_service
from ironcore.notification.v1 import router_service_pb2 as router_pb
from tests.browser import history
from tests.browser.console_process import Console, running_console
from tests.browser.peers import Peers, running_peers
from tests.support.certificates import Certificates
from tests.support.console_work import in_force
from tests.support.secured import ShiftedClock
from tests.system.installation import CALL_SECONDS, Installation, until

USER = "alice"
UNDER_WAY = (delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_LEASED)


@dataclass(frozen=True, slots=True)
class Night:
    """``console`` and its services run as processes; their targets reach ``peers``.

    ``locked`` is a console that asks who comes. It has no services: to ask it needs none.
    """

    console: Console
    locked: Console
    peers: Peers

    def dead_delivery(self) -> str:
        """The id of one that died."""
        dead = self.console.installation.deliveries([delivery_pb2.DELIVERY_STATE_DEAD])
        return next(dead).delivery_id

    def digest(self) -> str:
        """The id of one that is being collected."""
        answer = self.console.installation.delivery.ListDigests(
            delivery_service.ListDigestsRequest()
        )
        return answer.digests[0].digest_id


@contextmanager
def running_night(home: Path) -> Iterator[Night]:
    """Filled and served, until the block ends."""
    with running_peers() as peers:
        installation = Installation(home, extra={"IBS_NOTIFY_USER": USER})
        # In a thread: where a browser of Playwright is open, this one has a loop already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _fill(installation, peers)).result()
        with installation:
            installation.start_and_wait()
            until(lambda: _is_quiet(installation), "what can go out has gone out")
            Certificates.made_in(home / "tls")
            locks = {"IBS_NOTIFY_TLS_DIRECTORY": str(home / "tls")}
            with (
                running_console(installation) as console,
                running_console(installation, locks) as locked,
            ):
                yield Night(console, locked, peers)


async def _fill(installation: Installation, peers: Peers) -> None:
    clock = ShiftedClock()
    clock.ahead = -timedelta(hours=history.HOURS + 1)
    settings = load(installation.environment)
    async with AsyncExitStack() as stack:
        for app in (ConfigApp, RouterApp, DeliveryApp):
            await stack.enter_async_context(app(settings, clock))
        channels = Channels(settings)
        stack.push_async_callback(channels.close)
        api = Api(channels, claiming(USER))
        await _configure(api, peers)
        for ago, events in history.hours():
            clock.ahead = -ago
            if not events:
                continue
            request = router_pb.EmitBatchRequest(events=events)
            answer = await api.call(api.router.EmitBatch, request)
            refused = [each.error.message for each in answer.results if each.HasField("error")]
            assert not refused, refused
        await _silence(api, clock.now())


async def _configure(api: Api, peers: Peers) -> None:
    changed = FieldMask(paths=["default_recipients", "public_url", "time_zone", "sender"])
    await api.call(
        api.config.UpdateSettings,
        config_pb.UpdateSettingsRequest(settings=history.SETTINGS, update_mask=changed),
    )
    for target in history.targets(peers):
        await api.call(api.config.CreateTarget, config_pb.CreateTargetRequest(target=target))
    revision = 0
    for group in history.groups():
        made = await api.call(api.config.CreateGroup, config_pb.CreateGroupRequest(group=group))
        revision = made.group.revision
    await in_force(api, revision)


async def _silence(api: Api, now: datetime) -> None:
    """One that is active, one to come, one that recurs."""

    def at(hours: int) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(now + timedelta(hours=hours))
        return stamp

    for silence in (
        router_pb.Silence(
            rule="resource under /datastore/ibs-archive",
            end_time=at(4),
            comment="The archive moves to new disks",
        ),
        router_pb.Silence(
            rule="type starts-with sync.",
            start_time=at(30),
            end_time=at(36),
            comment="The line to the branch is replaced",
        ),
        router_pb.Silence(
            rule="type = backup.warning",
            weekly="sat 22:00-24:00",
            comment="Patch night",
        ),
    ):
        await api.call(api.router.CreateSilence, router_pb.CreateSilenceRequest(silence=silence))


def _is_quiet(installation: Installation) -> bool:
    """Whether what can go out has gone out."""
    reachable = ["ops-smtp", "chat-ops", "metrics-influx", "metrics-push", "tickets"]
    chosen = delivery_pb2.DeliveryFilter(targets=reachable, states=UNDER_WAY)
    asked = delivery_service.CountDeliveriesRequest(filter=chosen)
    return not installation.delivery.CountDeliveries(asked, timeout=CALL_SECONDS).total
