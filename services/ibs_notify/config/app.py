"""The composition root: the only file that builds adapters."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

import grpc
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ibs_notify.audit.servicer import AuditServicer
from ibs_notify.config.announce import Announcer, announce_nothing
from ibs_notify.config.delivery_client import DeliveryClient
from ibs_notify.config.groups import Groups
from ibs_notify.config.installation import Installation
from ibs_notify.config.key_rotation import KeyRotation
from ibs_notify.config.ports import DeliveryPort, Repository, View
from ibs_notify.config.repository import ConfigRepository
from ibs_notify.config.servicer import ConfigServicer, UseCases
from ibs_notify.config.tables import AUDIT
from ibs_notify.config.target_test import TargetTests
from ibs_notify.config.targets import Targets
from ibs_notify.config.token_view import TokenView
from ibs_notify.config.tokens import Tokens
from ibs_notify.config.watch import ConfigWatch, RevisionSignal
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.domain.errors import (
    FailedPrecondition,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.rpc.authentication import Authenticator
from ibs_notify.rpc.emitting import Emitter
from ibs_notify.rpc.lifecycle import App, run_beside
from ibs_notify.rpc.login_failures import LoginFailures
from ibs_notify.rpc.peer_channel import open_peer_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles
from ibs_notify.rpc.token_uses import TokenUses
from ibs_notify.secrets.key_file import Key
from ibs_notify.secrets.key_source import FileSource, key_source
from ibs_notify.secrets.keys import Keys
from ibs_notify.settings import ServiceName, Settings
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from ironcore.notification.v1.config_service_pb2_grpc import add_ConfigServiceServicer_to_server

log = logging.getLogger(__name__)


class ConfigApp(App):
    """A running Config: ``async with ConfigApp(settings) as app``. Stops in reverse order.

    ``delivery`` stands for the Delivery service in tests. Entering raises ``NotificationError``
    where the database or the key file cannot be used, ``OSError`` where the port is taken.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        delivery: DeliveryPort | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock or SystemClock()
        self._identity = IdentityFiles.of(settings, "config", self._clock)
        self._delivery = delivery

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        database = await _open(settings.database_url("config"))
        stack.push_async_callback(database.close)
        self.broken = database.broken
        signal = RevisionSignal()
        router = Emitter(await self._open_channel(stack, "router"))
        announcer = Announcer(database, router.emit, self._clock)
        repository: Repository = ConfigRepository(
            database, self._clock, _both(signal.advance, announcer.nudge)
        )
        keys = _keys(settings.key_source, await repository.read(_sealed_count), self._clock)
        await repository.begin_log()
        uses = TokenUses()
        failures = LoginFailures("config", self._clock)
        run_beside(stack, failures.run(router.emit))
        authenticator = Authenticator(self._clock, uses, failures.note)
        view = TokenView(repository, signal, authenticator.set_tokens)
        await view.load()
        run_beside(stack, view.run())
        tokens = Tokens(repository, view)
        run_beside(stack, uses.run(tokens.note_uses))
        run_beside(stack, authenticator.watch_streams())
        if settings.secured:
            await announcer.begin()
            run_beside(stack, announcer.run())
        else:
            await announce_nothing(database)
        watch = ConfigWatch(repository, signal)
        run_beside(stack, watch.poll())
        delivery = self._delivery or DeliveryClient(await self._open_channel(stack, "delivery"))
        rotation = KeyRotation(repository, delivery, keys, self._clock)
        await rotation.resume()
        use_cases = UseCases(
            targets=Targets(repository, delivery, keys),
            tests=TargetTests(repository, delivery, keys),
            groups=Groups(repository),
            installation=Installation(repository),
            tokens=tokens,
            keys=rotation,
            watch=watch,
        )
        server = RpcServer.of(settings, "config", self._identity, authenticator)
        servicer = ConfigServicer(use_cases, self._clock)
        add_ConfigServiceServicer_to_server(servicer, server.grpc_server)
        add_AuditServiceServicer_to_server(AuditServicer(database, AUDIT), server.grpc_server)
        await server.start()
        stack.push_async_callback(server.stop)
        # Stopping begins here: open watches end by themselves, so the server need not wait.
        stack.callback(signal.close)
        self.port, self.peer_port = server.port, server.peer_port
        await server.set_serving(True)

    async def _open_channel(self, stack: AsyncExitStack, to: ServiceName) -> grpc.aio.Channel:
        channel = open_peer_channel(self._settings, self._identity, to)
        return await stack.enter_async_context(channel)


def _both(advance: Callable[[int], None], nudge: Callable[[], None]) -> Callable[[int], None]:
    def both(revision: int) -> None:
        advance(revision)
        nudge()

    return both


def _sealed_count(view: View) -> int:
    return sum(view.key_counts().values())


def _keys(name: str, sealed: int, clock: Clock) -> Keys:
    """The keys that the setting names; raises where there are none.

    A file is made at the first start only: a new key opens none of the ``sealed``.
    """
    source = key_source(name)
    if isinstance(source, FileSource) and source.version() is None:
        if sealed:
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"{source} is missing, and {sealed} stored secrets are sealed with its key",
                advice="restore it from a backup, or say where it is with IBS_NOTIFY_KEY_FILE",
            )
        source.create(Key.generate(clock.now()))
    keys = Keys(source)
    log.info("the newest key is %s, from %s", keys.current.key_id, source)
    return keys


async def _open(url: str) -> Database:
    """The database with this release's schema; ``Unavailable`` says in a sentence why not."""
    try:
        database = await open_database(url, exclusive=True)
        try:
            await upgrade(database, "config")
        except BaseException:
            await database.close()
            raise
    except (NotificationError, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        raise Unavailable(
            Reason.STORAGE_UNAVAILABLE,
            f"the database {_shown(url)} cannot be opened: {_reason(error)}",
            advice="check IBS_NOTIFY_HOME and IBS_NOTIFY_CONFIG_DATABASE",
        ) from error
    return database


def _shown(url: str) -> str:
    """A database's URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "URL"


def _reason(error: Exception) -> str:
    if isinstance(error, NotificationError):
        return error.message
    return str(getattr(error, "orig", None) or error).partition("\n")[0]
