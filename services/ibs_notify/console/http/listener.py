"""Where the console listens: by TLS with files that may be renewed."""

from __future__ import annotations

import asyncio
import logging
import ssl
import stat
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from ibs_notify.console.http.door import open_door
from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.rpc.lifecycle import run_beside
from ibs_notify.settings import Settings

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 20.0
"""So long a connection may be silent, or take for the head of a request."""
STOP_SECONDS = 2.0
LOOK_SECONDS = 60.0


async def listen(stack: AsyncExitStack, app: web.Application, settings: Settings) -> int:
    """Serve ``app`` until ``stack`` closes; the port. ``OSError`` where the address is taken."""
    quiet = logging.getLogger(f"{__name__}.http")
    quiet.setLevel(logging.CRITICAL)  # Strangers who speak no HTTP must not fill the log.
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=quiet,
        keepalive_timeout=HEAD_SECONDS,
        # So long the rest is read of what nobody waits for.
        lingering_time=STOP_SECONDS,
        # It waits once for those that end by themselves, and once for those that are cancelled.
        shutdown_timeout=STOP_SECONDS / 2,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    tls = Tls(settings) if settings.console_certificate else None
    host, _, port = settings.console_address.rpartition(":")
    door = await open_door(host.strip("[]"), int(port))
    server = await asyncio.get_running_loop().create_server(
        runner.server,
        sock=door,
        ssl=tls.context if tls else None,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
    )
    stack.callback(server.close)
    if tls is not None:
        run_beside(stack, tls.watch())
    return int(door.getsockname()[1])


class Tls:
    """``context`` is that of the listener; files that change count from the next handshake on."""

    def __init__(self, settings: Settings) -> None:
        self._certificate = Path(settings.console_certificate)
        self._key = Path(settings.console_key)
        self._seen = self._signature()
        self.context = self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))

    async def watch(self) -> None:
        """Look each minute whether the files have changed, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take what is new; what is broken, or only half there, leaves what was before in force."""
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            # Tried apart, for a pair that does not fit would leave the listener with half of it.
            self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
            self._load(self.context)
        except FailedPrecondition as error:
            log.error("the certificate that was read before stays in force: %s", error)
        else:
            log.info("a new certificate counts")

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        try:
            mode = stat.S_IMODE(self._key.stat().st_mode)
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"{self._certificate} and {self._key} cannot be used: {error.strerror or error}",
                advice="see the settings console_certificate and console_key",
            ) from error
        if mode & 0o007:
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"the key {self._key} is open to everybody (mode {mode:04o})",
                advice=f"chmod 600 {self._key}",
            )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_seen(each) for each in (self._certificate, self._key))


def _no_password() -> str:
    """A key with a password would have the process ask its terminal for it."""
    return ""


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
