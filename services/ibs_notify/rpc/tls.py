"""The identity of a process for as long as it runs, and the credentials of its listeners.

Files that change count from the next connection on. What is broken, or only half there, leaves
what was read before in force.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import grpc

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.peer import CA_FILE
from ibs_notify.settings import ServiceName, Settings

if TYPE_CHECKING:
    from ibs_notify.rpc.identity import Identity

log = logging.getLogger(__name__)

WARN_BEFORE = timedelta(days=30)
WARN_EACH = timedelta(days=1)

Signature: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]
"""Of each file inode, size, when it was written and when its mode was changed; None for one that
cannot be seen."""


def expiry_warning(name: str, expires: datetime, now: datetime) -> str:
    """What to say of a certificate that ends within ``WARN_BEFORE``; empty before that."""
    if expires - now > WARN_BEFORE:
        return ""
    when = f"{'ended' if expires <= now else 'ends'} at {expires:%Y-%m-%d %H:%MZ}"
    return f"the certificate of {name} {when}; renew it, as by ibs-notify certs renew"


class IdentityFiles:
    """The identity ``name`` in ``directory``. May be asked from any thread.

    Raises as ``read_identity`` when made, and never after.
    """

    def __init__(self, directory: Path, name: str, clock: Clock) -> None:
        self.name = name
        self._directory = directory
        self._clock = clock
        self._lock = Lock()
        self._seen = self._signature()
        self._identity = self._read()

    @classmethod
    def of(cls, settings: Settings, service: ServiceName, clock: Clock) -> IdentityFiles | None:
        """That of ``service``, which shares it by all that it opens; None: nothing is secured."""
        if not settings.secured:
            return None
        return cls(Path(settings.tls_directory), service, clock)

    def current(self) -> Identity:
        """What the files held when they were last whole; the same object until they change."""
        with self._lock:
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                self._take()
            return self._identity

    def expiry_warning(self) -> str:
        """Empty unless what is in force ends soon."""
        return expiry_warning(self.name, self.current().expires, self._clock.now())

    def _take(self) -> None:
        try:
            new = self._read()
        except NotificationError as error:
            log.error("the certificate that was read before stays in force: %s", error)
            return
        if new != self._identity:
            self._identity = new
            log.info("a new certificate counts, until %s", f"{new.expires:%Y-%m-%d %H:%MZ}")

    def _read(self) -> Identity:
        # Late: it takes ten megabytes, which a service that has no certificate does without.
        from ibs_notify.rpc.identity import read_identity  # noqa: PLC0415

        return read_identity(self._directory, self.name, self._clock.now())

    def _signature(self) -> Signature:
        names = (CA_FILE, f"{self.name}.pem", f"{self.name}.key")
        return tuple(_seen(self._directory / name) for name in names)


class ServerTls:
    """The credentials of a server's listeners; each handshake is made with the current files."""

    def __init__(self, files: IdentityFiles) -> None:
        self._files = files

    async def warn_of_expiry(self) -> None:
        """Log each day that the certificate ends soon, until cancelled."""
        while True:
            if warning := self._files.expiry_warning():
                log.warning("%s", warning)
            await asyncio.sleep(WARN_EACH.total_seconds())

    def for_clients(self) -> grpc.ServerCredentials:
        """Clients need no certificate."""
        return self._credentials(of_peers=False)

    def for_peers(self) -> grpc.ServerCredentials:
        """Only who has a certificate of our CA gets in."""
        return self._credentials(of_peers=True)

    def _credentials(self, *, of_peers: bool) -> grpc.ServerCredentials:
        in_force = self._files.current()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal in_force
            identity = self._files.current()
            if identity is in_force:
                return None
            in_force = identity
            return _configuration(identity, of_peers=of_peers)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(in_force, of_peers=of_peers),
            fetch,  # type: ignore[arg-type]  # None is no change; the stubs leave it out
            of_peers,
        )


def _configuration(identity: Identity, *, of_peers: bool) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key, identity.certificate)], identity.ca if of_peers else None
    )


def _seen(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
