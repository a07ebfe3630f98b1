"""The Router's composition root: the only file that builds adapters and ties them together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

from ibs_notify.audit.servicer import AuditServicer
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.router import end_counts
from ibs_notify.router.aftermath import Way, take_outcomes
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.delivery_client import DeliveryClient
from ibs_notify.router.event_watch import EventWatch
from ibs_notify.router.housekeeping import Housekeeping
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.inbox_calls import InboxCalls
from ibs_notify.router.intake import Commit, Intake
from ibs_notify.router.outbox import Outbox
from ibs_notify.router.outcomes import Outcomes
from ibs_notify.router.overlap_calls import Overlaps
from ibs_notify.router.repository import accept
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.servicer import RouterServicer
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.tables import AUDIT
from ibs_notify.router.warming import warm
from ibs_notify.rpc.lifecycle import App, run_beside
from ibs_notify.rpc.login_failures import LoginFailures
from ibs_notify.rpc.peer_channel import open_peer_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles
from ibs_notify.settings import Settings
from ibs_notify.snapshot.recognition import recognise_by
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.store.group_commit import GroupCommit
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from ironcore.notification.v1.router_service_pb2_grpc import add_RouterServiceServicer_to_server


class RouterApp(App):
    """A running Router: ``async with RouterApp(settings) as app``. Stops in reverse order."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock or SystemClock()
        self._identity = IdentityFiles.of(settings, "router", self._clock)

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, clock = self._settings, self._clock
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = await open_database(settings.database_url("router"), exclusive=True)
        self.broken = database.broken
        stack.push_async_callback(database.close)
        await upgrade(database, "router")

        delivery_channel = await stack.enter_async_context(
            open_peer_channel(settings, self._identity, "delivery")
        )
        config_channel = await stack.enter_async_context(
            open_peer_channel(settings, self._identity, "config")
        )
        delivery = DeliveryClient(delivery_channel)
        # Of an SQLite file there is one Router: after a crash it need not wait for its own lease.
        holder = "only" if database.dialect == "sqlite" else uuid4().hex
        watcher = ConfigWatcher(
            config_channel,
            settings.home / "router-snapshot.pb",
            include_secrets=False,
            include_tokens=settings.secured,
        )
        failures = LoginFailures("router", clock)
        authenticator = recognise_by(watcher, config_channel, clock, stack, failures.note)
        server = RpcServer.of(settings, "router", self._identity, authenticator)
        revisions = Revisions(database, clock)
        in_force = InForce(database, revisions)
        watcher.on_change(lambda snapshot: in_force.offer(snapshot, watcher.kept))
        outbox = Outbox(database, delivery, lambda: in_force.table, clock, holder=holder)
        silences = SilenceBook()
        commit: Commit = GroupCommit(
            database, lambda connection, batches: accept(connection, batches, silences), weigh=len
        )
        run_beside(stack, outbox.run())
        way = Way(lambda: required(in_force.table), silences)
        outcomes = Outcomes(
            database,
            delivery,
            clock,
            lambda connection, told: take_outcomes(connection, told, way, clock.now()),
            end_counts.clear,
        )
        run_beside(stack, outcomes.run())
        stack.push_async_callback(commit.close)
        run_beside(stack, in_force.run())
        run_beside(stack, watcher.run())

        blocks = Blocks()
        watch = EventWatch(database)
        run_beside(stack, watch.run())
        housekeeping = Housekeeping(
            database,
            blocks,
            lambda: in_force.table,
            clock,
            holder,
            keep=timedelta(days=settings.keep_days),
            most=settings.keep_events,
        )
        run_beside(stack, housekeeping.run())

        intake = Intake(
            commit,
            lambda: in_force.table,
            clock,
            FreeSpace(
                database.directory or settings.home, clock, min_free_mib=settings.min_free_mib
            ),
            on_stored=_both(outbox.nudge, watch.nudge),
        )
        run_beside(stack, failures.run(intake.emit))
        servicer = RouterServicer(
            intake,
            database,
            delivery,
            in_force,
            revisions,
            clock,
            InboxCalls(database, blocks, clock, lambda: required(in_force.table).group_names),
            watch,
            Overlaps(database, blocks, in_force, clock),
        )
        add_RouterServiceServicer_to_server(servicer, server.grpc_server)
        add_AuditServiceServicer_to_server(AuditServicer(database, AUDIT), server.grpc_server)
        await server.start()
        self.port, self.peer_port = server.port, server.peer_port
        stack.push_async_callback(server.stop)
        # Stopping begins here: open streams end by themselves, so the server need not wait.
        stack.callback(watch.close)
        stack.callback(servicer.close)
        run_beside(stack, _serve_when_ready(server, in_force))
        run_beside(stack, _warm_when_ready(database, blocks, in_force))


async def _serve_when_ready(server: RpcServer, in_force: InForce) -> None:
    await in_force.at_least(0)
    await server.set_serving(True)


async def _warm_when_ready(database: Database, blocks: Blocks, in_force: InForce) -> None:
    await in_force.at_least(0)
    await warm(database, blocks)


def _both(one: Callable[[], None], other: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        one()
        other()

    return both
