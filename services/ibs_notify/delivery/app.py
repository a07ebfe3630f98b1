"""Delivery's composition root: the only file that builds adapters and ties them together."""

from __future__ import annotations

import logging
import os
import random
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from uuid import uuid4

import grpc

from ibs_notify.audit.servicer import AuditServicer
from ibs_notify.delivery.charts import DeliveryCharts
from ibs_notify.delivery.digests.desk import DigestDesk
from ibs_notify.delivery.digests.maker import DigestMaker
from ibs_notify.delivery.digests.scheduler import DigestScheduler
from ibs_notify.delivery.held_keys import HeldKeys
from ibs_notify.delivery.metrics.book import DurableMetricBook
from ibs_notify.delivery.metrics.gateway_keeper import GatewayKeeper
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.housekeeping import Housekeeping
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.queue.outcome_watch import OutcomeWatch
from ibs_notify.delivery.reports.delivery_health import DeliveryHealths
from ibs_notify.delivery.reports.router_client import RouterClient
from ibs_notify.delivery.reports.weekly_summaries import WeeklySummaries
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.sending.dispatcher import STOP_GRACE_SECONDS, Dispatcher
from ibs_notify.delivery.sending.sender import Sender
from ibs_notify.delivery.sending.target_test import TargetTester
from ibs_notify.delivery.servicer import DeliveryServicer, UseCases
from ibs_notify.delivery.tables import AUDIT
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.cache import SecretOpener, TransportCache
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.rpc.emitting import Emitter
from ibs_notify.rpc.lifecycle import App, run_beside
from ibs_notify.rpc.login_failures import LoginFailures
from ibs_notify.rpc.peer_channel import open_peer_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles
from ibs_notify.secrets.key_source import key_source
from ibs_notify.secrets.keys import Keys
from ibs_notify.settings import Settings
from ibs_notify.snapshot.recognition import recognise_by
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from ironcore.notification.v1.delivery_service_pb2_grpc import (
    add_DeliveryServiceServicer_to_server,
)

log = logging.getLogger(__name__)


class DeliveryApp(App):
    """A running Delivery: ``async with DeliveryApp(settings) as app``. Stops in reverse order.

    ``jitter`` gives numbers in [0, 1) that spread retries; attempts under way have
    ``grace_seconds`` to end when it stops.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        grace_seconds: float = STOP_GRACE_SECONDS,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock or SystemClock()
        self._identity = IdentityFiles.of(settings, "delivery", self._clock)
        self._jitter = jitter
        self._grace_seconds = grace_seconds
        self._dialler = Dialler(settings.egress)

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, clock = self._settings, self._clock
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = await open_database(settings.database_url("delivery"), exclusive=True)
        self.broken = database.broken
        stack.push_async_callback(database.close)
        await upgrade(database, "delivery")

        outlook = Outlook()
        secrets = SecretOpener(Keys(key_source(settings.key_source)))
        outcomes = OutcomeWatch(database, clock)
        run_beside(stack, outcomes.run())
        housekeeping = Housekeeping(
            database,
            clock,
            keep=timedelta(days=settings.delivery_keep_days),
            most=settings.delivery_keep_count,
        )
        run_beside(stack, housekeeping.run())
        queue = DeliveryQueue(database, clock, _holder(), on_ended=outcomes.nudge)
        stack.push_async_callback(queue.close)
        await queue.recover()
        await _say_if_held(queue, outlook)
        book = DurableMetricBook(database)
        await book.recover()
        build = partial(build_transport, book=book, dialler=self._dialler)
        transports = TransportCache(build, secrets, clock)
        stack.push_async_callback(transports.close)
        console = next(iter(settings.console_origins), "")
        sender = Sender(outlook, transports, clock, self._jitter, console)
        dispatcher = Dispatcher(outlook, queue, transports, sender, clock)
        run_beside(stack, dispatcher.run())
        keeper = GatewayKeeper(database, outlook, transports, book, secrets, clock, self._dialler)
        run_beside(stack, keeper.run())
        stack.push_async_callback(dispatcher.stop, self._grace_seconds)

        router = await stack.enter_async_context(
            open_peer_channel(settings, self._identity, "router")
        )
        summaries = WeeklySummaries(RouterClient(router), DeliveryHealths(database), outlook)
        maker = DigestMaker(database, summaries, dispatcher, outlook.admit)
        # Of an SQLite file there is one Delivery: after a crash it need not wait for its own lease.
        only = database.dialect == "sqlite"
        scheduler = DigestScheduler(database, clock, maker, "only" if only else _holder())
        run_beside(stack, scheduler.run())

        channel = await stack.enter_async_context(
            open_peer_channel(settings, self._identity, "config")
        )
        watcher = ConfigWatcher(
            channel,
            settings.home / "delivery-snapshot.pb",
            include_secrets=True,
            include_tokens=settings.secured,
        )
        for each in (dispatcher, keeper, scheduler):
            watcher.on_change(each.set_snapshot)
        failures = LoginFailures("delivery", clock)
        run_beside(stack, failures.run(Emitter(router).emit))
        authenticator = recognise_by(watcher, channel, clock, stack, failures.note)
        run_beside(stack, watcher.run())

        server = RpcServer.of(settings, "delivery", self._identity, authenticator)
        use_cases = UseCases(
            queue=queue,
            dispatcher=dispatcher,
            outlook=outlook,
            listing=Listing(database),
            charts=DeliveryCharts(database, outlook, clock),
            requests=Requests(database, clock),
            outcomes=outcomes,
            tester=TargetTester(build, secrets, clock),
            digests=DigestDesk(database, scheduler, maker, outlook, clock),
            watcher=watcher,
            held_keys=HeldKeys(database, watcher, secrets),
            free_space=FreeSpace(
                database.directory or settings.home, clock, min_free_mib=settings.min_free_mib
            ),
            clock=clock,
            console=console,
        )
        _add_services(server.grpc_server, use_cases, database)
        await server.start()
        self.port, self.peer_port = server.port, server.peer_port
        stack.push_async_callback(server.stop)
        run_beside(stack, _serve_when_ready(server, watcher))
        # Stopping begins here: nothing new is claimed while calls and attempts end.
        stack.callback(dispatcher.begin_stop)
        # Open watches end by themselves, so the server need not wait for them.
        stack.callback(outcomes.close)


def _add_services(server: grpc.aio.Server, use_cases: UseCases, database: Database) -> None:
    add_DeliveryServiceServicer_to_server(DeliveryServicer(use_cases), server)
    add_AuditServiceServicer_to_server(AuditServicer(database, AUDIT), server)


async def _serve_when_ready(server: RpcServer, watcher: ConfigWatcher) -> None:
    await watcher.at_least(0)
    await server.set_serving(True)


async def _say_if_held(queue: DeliveryQueue, outlook: Outlook) -> None:
    """Before anything is claimed."""
    since = await queue.held_since()
    outlook.is_held = since is not None
    if since is not None:
        log.warning(
            "the queue is held since %s, as after a restore: nothing is sent until somebody has "
            "looked at it and says delivery release",
            f"{since:%Y-%m-%d %H:%M:%S} UTC",
        )


def _holder() -> str:
    """A name for this process that no other has, on whatever machine."""
    return f"{socket.gethostname()[:24]}-{os.getpid()}-{uuid4().hex[:16]}"
