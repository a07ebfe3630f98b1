"""What must be ours before anything starts: the home, by a lock, and the addresses."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, Reason
from ibs_notify.settings import PREFIX, SERVICES, ProgramName, Settings

LOCK_FILE = "launcher.lock"


@contextmanager
def claimed_home(home: Path) -> Iterator[None]:
    """Hold ``home`` for one launcher; FailedPrecondition where another one has it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"the data directory {home.absolute()} cannot be used: {error.strerror}",
            advice=f"set {PREFIX}HOME to a directory that this account may write",
        ) from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"ibs-notify already runs on {home.absolute()} (process {lock.read().strip()})",
                advice=f"stop it, or set another {PREFIX}HOME and other addresses",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def check_addresses(settings: Settings, *, console: bool = False) -> None:
    """Raise where a service could not listen, or the ``console``.

    The error names the address and its setting.
    """
    with ExitStack() as held:
        for service in SERVICES:
            setting = f"{PREFIX}{service.upper()}_ADDRESS"
            held.enter_context(_listening(service, settings.address(service), setting))
            if settings.secured:
                setting = f"{PREFIX}{service.upper()}_PEER_ADDRESS"
                held.enter_context(_listening(service, settings.peer_address(service), setting))
        if console:
            setting = f"{PREFIX}CONSOLE_ADDRESS"
            held.enter_context(_listening("console", settings.console_address, setting))


def _listening(service: ProgramName, address: str, setting: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if port == "0":
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"{setting} is {address}: the others could not find {service} on a port of chance",
        )
    try:
        family, *_, place = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"{service} cannot listen on {address}: {_reason(error)}",
            advice=f"set {setting} to a free address, or stop what listens there",
        ) from error


def _reason(error: OSError) -> str:
    # `socket` adds the address to the text of a refused bind; the message has it already.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
