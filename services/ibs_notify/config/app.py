"""The composition root: the only file that builds adapters."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ibs_notify.config.delivery_client import DeliveryClient
from ibs_notify.config.groups import Groups
from ibs_notify.config.installation import Installation
from ibs_notify.config.ports import DeliveryPort, Repository
from ibs_notify.config.repository import ConfigRepository
from ibs_notify.config.servicer import SERVICE_NAME, ConfigServicer, UseCases
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
from ibs_notify.rpc.authentication_interceptor import asking
from ibs_notify.rpc.lifecycle import App, run_beside
from ibs_notify.rpc.peer_channel import open_peer_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles, ServerTls
from ibs_notify.rpc.token_uses import TokenUses
from ibs_notify.secrets import envelope
from ibs_notify.settings import Settings
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1.config_service_pb2_grpc import add_ConfigServiceServicer_to_server


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
        repository: Repository = ConfigRepository(database, self._clock, signal.advance)
        keyring = _keyring(settings.key_path, await repository.sealed_count())
        await repository.begin_log()
        uses = TokenUses()
        authenticator = Authenticator(self._clock, uses)
        view = TokenView(repository, signal, authenticator.set_tokens)
        await view.load()
        run_beside(stack, view.run())
        tokens = Tokens(repository, view)
        run_beside(stack, uses.run(tokens.note_uses))
        run_beside(stack, authenticator.watch_streams())
        watch = ConfigWatch(repository, signal)
        run_beside(stack, watch.poll())
        delivery = self._delivery or await self._connect(stack)
        use_cases = UseCases(
            targets=Targets(repository, delivery, keyring),
            tests=TargetTests(repository, delivery, keyring),
            groups=Groups(repository),
            installation=Installation(repository),
            tokens=tokens,
            watch=watch,
        )
        server = RpcServer(
            settings.config_address,
            SERVICE_NAME,
            reflect=settings.profile == "development",
            tls=ServerTls.of(self._identity),
            peer_address=settings.config_peer_address,
            interceptors=asking(authenticator, settings),
        )
        servicer = ConfigServicer(use_cases, self._clock)
        add_ConfigServiceServicer_to_server(servicer, server.grpc_server)
        await server.start()
        stack.push_async_callback(server.stop)
        # Stopping begins here: open watches end by themselves, so the server need not wait.
        stack.callback(signal.close)
        self.port, self.peer_port = server.port, server.peer_port
        await server.set_serving(True)

    async def _connect(self, stack: AsyncExitStack) -> DeliveryPort:
        channel = await stack.enter_async_context(
            open_peer_channel(self._settings, self._identity, "delivery")
        )
        return DeliveryClient(channel)


def _keyring(path: Path, sealed: int) -> envelope.Keyring:
    """The keys of ``path``, made at the first start: a new key opens none of the ``sealed``."""
    if sealed and not path.exists():
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"the key file {path} is missing, and {sealed} stored secrets are sealed with its key",
            advice="restore it from a backup, or say where it is with IBS_NOTIFY_KEY_FILE",
        )
    return envelope.load_or_create(path)


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
