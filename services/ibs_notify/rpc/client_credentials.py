"""What a client shows to a service, and where: a token, or the administrator's certificate.

The token is that of the variable ``IBS_NOTIFY_TOKEN``, else of the file that the setting
``token_file`` names. Where there is none, as before the first one is made, who can read the
administrator's certificate, on the machine itself, comes in with that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, Reason
from ibs_notify.rpc.peer import ADMINISTRATOR, CA_FILE, dns_name
from ibs_notify.settings import TOKEN_VARIABLE, ServiceName, Settings

_TOKEN = re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a call goes. Without ``credentials`` it is in clear text.

    ``server_name`` is what the server's certificate has to say; empty: the host of ``address``.
    """

    address: str
    credentials: grpc.ChannelCredentials | None = None
    server_name: str = ""


def endpoint_of(settings: Settings, to: ServiceName) -> Endpoint:
    """As the settings and the variable say. ``NotificationError`` for files that cannot be used."""
    if not settings.secured:
        return Endpoint(settings.address(to))
    directory = Path(settings.tls_directory)
    token = _token_of(settings, "")
    if token is None and _may_administer(directory):
        credentials = _administrator(directory)
        return Endpoint(settings.peer_address(to), credentials, dns_name(to))
    credentials = _tls(directory / CA_FILE, token)
    return Endpoint(settings.address(to), credentials, dns_name(to))


def has_credentials(settings: Settings) -> bool:
    """Whether a call that asks who it is from can succeed; one without counts as a failed login."""
    if not settings.secured or _token_of(settings, "") is not None:
        return True
    return _may_administer(Path(settings.tls_directory))


def anonymous_endpoint_of(settings: Settings, to: ServiceName) -> Endpoint:
    """For what is open to everybody: the health of a service."""
    if not settings.secured:
        return Endpoint(settings.address(to))
    credentials = _tls(Path(settings.tls_directory) / CA_FILE, None)
    return Endpoint(settings.address(to), credentials, dns_name(to))


def emitter_endpoint(
    settings: Settings, address: str, ca_file: Path | str | None, token: str
) -> Endpoint:
    """Of the Router for a program that emits; what is empty is as the settings say.

    With a ``ca_file`` the certificate has to name the host of the address.
    """
    if ca_file is None and not address and not token:
        return endpoint_of(settings, "router")
    address = address or settings.router_address
    if ca_file is not None:
        return Endpoint(address, _tls(Path(ca_file), _token_of(settings, token)))
    if settings.secured:
        ca = Path(settings.tls_directory) / CA_FILE
        return Endpoint(address, _tls(ca, _token_of(settings, token)), dns_name("router"))
    if token:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            "a token is presented by TLS only",
            advice="give a ca_file as well",
        )
    return Endpoint(address)


def token_presented(settings: Settings) -> str:
    """The token of this process's calls; empty where they are made with none."""
    token = _token_of(settings, "")
    return "" if token is None else token()


def _may_administer(directory: Path) -> bool:
    return os.access(directory / f"{ADMINISTRATOR}.key", os.R_OK)


def _token_of(settings: Settings, given: str) -> Callable[[], str] | None:
    """What gives the token for each call: one that is in a file may change at any time."""
    if given:
        return lambda: _checked(given, "the argument token")
    if variable := os.environ.get(TOKEN_VARIABLE):
        return lambda: _checked(variable, f"the variable {TOKEN_VARIABLE}")
    return _TokenFile(Path(settings.token_file)) if settings.token_file else None


class _TokenFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = ""

    def __call__(self) -> str:
        try:
            status = self._path.stat()
            seen = status.st_ino, status.st_size, status.st_mtime_ns
            if seen != self._seen:
                text = self._path.read_text("ascii", "replace")
                self._token, self._seen = _checked(text, f"the file {self._path}"), seen
        except OSError as error:
            raise FailedPrecondition(
                Reason.UNAUTHENTICATED,
                f"the token file {self._path} cannot be read: {error.strerror}",
                advice=f"set token_file, or the variable {TOKEN_VARIABLE}",
            ) from error
        return self._token


def _checked(text: str, where: str) -> str:
    """The token in ``text``, which no error repeats."""
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise InvalidArgument(Reason.UNAUTHENTICATED, f"{where} holds no token")
    return token


class _Bearer(grpc.AuthMetadataPlugin):
    """Gives each call its token. gRPC asks only where the channel is encrypted."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(
        self,
        context: grpc.AuthMetadataContext,  # noqa: ARG002  # it is of gRPC's interface
        callback: grpc.AuthMetadataPluginCallback,
    ) -> None:
        try:
            callback((("authorization", f"Bearer {self._token()}"),), None)
        except Exception as error:  # noqa: BLE001  # the call fails with it
            callback((), error)


def _tls(ca_file: Path, token: Callable[[], str] | None) -> grpc.ChannelCredentials:
    credentials = grpc.ssl_channel_credentials(_ca(ca_file))
    if token is None:
        return credentials
    token()  # One that cannot be had is an error here, and not of each call.
    return grpc.composite_channel_credentials(
        credentials, grpc.metadata_call_credentials(_Bearer(token), "token")
    )


def _administrator(directory: Path) -> grpc.ChannelCredentials:
    # Late: certificates take a while to import, and most clients have none of their own.
    from ibs_notify.rpc.identity import read_identity  # noqa: PLC0415

    identity = read_identity(directory, ADMINISTRATOR, SystemClock().now())
    return grpc.ssl_channel_credentials(identity.ca, identity.key, identity.certificate)


def _ca(path: Path) -> bytes:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"the CA certificate {path} cannot be read: {error.strerror}",
            advice="copy it from where the services run; tls_directory says where it is",
        ) from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE, f"the CA certificate {path} is no certificate in PEM"
        )
    return pem
