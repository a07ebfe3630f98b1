"""Settings of the services and the CLI: environment variables over a file over defaults.

Every setting NAME is the variable ``IBS_NOTIFY_NAME`` and the key ``name`` of the settings file:
TOML, at ``IBS_NOTIFY_SETTINGS`` or else ``settings.toml`` in the home directory. A secret is never
a setting; the key file is named by its path, or as ``env:NAME`` or ``credential:NAME``. The
variable ``IBS_NOTIFY_TOKEN`` is none either: it holds the token that a client presents.
"""

from __future__ import annotations

import getpass
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from ibs_notify.domain.address_ranges import Kind, range_of
from ibs_notify.domain.egress import EgressPolicy, OwnEndpoint, parse_policy
from ibs_notify.domain.errors import InvalidArgument, Reason

PREFIX = "IBS_NOTIFY_"
TOKEN_VARIABLE = f"{PREFIX}TOKEN"
"""A secret for clients, so it is read where it is used and is in no ``Settings``."""

_NUMBERS = (
    "min_free_mib",
    "keep_days",
    "keep_events",
    "delivery_keep_days",
    "delivery_keep_count",
)
_SERVER = re.compile(
    r"postgresql[\w+]*://(?:[^:/]*(?::[^@]*)?@)?(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^][/:?]*))"
    r"(?::(?P<port>[^/?]*))?(?:/[^?]*)?(?:\?(?P<query>.*))?"
)
_DAYS = ("keep_days", "delivery_keep_days")
_MOST_DAYS = 36_500

ServiceName = Literal["config", "router", "delivery"]
SERVICES: tuple[ServiceName, ...] = ("config", "router", "delivery")
ProgramName = ServiceName | Literal["console"]
PROGRAMS: tuple[ProgramName, ...] = (*SERVICES, "console")
"""What the launcher runs: the services, and the console, which calls them as anybody does."""
ADDRESSES = tuple(
    f"{service}_{kind}" for kind in ("address", "peer_address") for service in SERVICES
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. Addresses are ``host:port``: where a service listens, where others look.

    ``tls_directory`` holds the certificates; with it every listener is TLS, and the services meet
    at ``*_peer_address`` by mutual TLS. ``token_file`` holds the token of a client. The console
    listens at ``console_address``, by TLS where ``console_certificate`` and ``console_key`` are
    given; browsers may find it at ``console_origin`` as well. ``*_database``
    are SQLAlchemy URLs; empty means an SQLite file in ``home``. ``profile`` is
    ``development`` or ``production``; reflection is served in the first only. Where less than
    ``min_free_mib`` are free on the disk of its database, a service takes nothing new. Events are
    kept for ``keep_days``, and the newest ``keep_events`` of them; 0 is no bound. Finished
    deliveries are kept for ``delivery_keep_days`` from their end, and of all about the newest
    ``delivery_keep_count``. ``egress_allow`` is where targets may reach (``domain.egress``).
    """

    home: Path = Path("var")
    config_address: str = "127.0.0.1:50051"
    router_address: str = "127.0.0.1:50052"
    delivery_address: str = "127.0.0.1:50053"
    config_peer_address: str = "127.0.0.1:50061"
    router_peer_address: str = "127.0.0.1:50062"
    delivery_peer_address: str = "127.0.0.1:50063"
    console_address: str = "127.0.0.1:8080"
    console_origin: str = ""
    console_certificate: str = ""
    console_key: str = ""
    tls_directory: str = ""
    token_file: str = ""
    config_database: str = ""
    router_database: str = ""
    delivery_database: str = ""
    key_file: str = ""
    profile: str = "development"
    log_level: str = "info"
    user: str = ""
    min_free_mib: int = 64
    keep_days: int = 90
    keep_events: int = 0
    delivery_keep_days: int = 90
    delivery_keep_count: int = 0
    egress_allow: str = ""

    def address(self, service: ServiceName) -> str:
        """Where ``service`` listens."""
        return str(getattr(self, f"{service}_address"))

    def peer_address(self, service: ServiceName) -> str:
        """Where ``service`` listens for the other services, where this is secured."""
        return str(getattr(self, f"{service}_peer_address"))

    @property
    def console_origins(self) -> tuple[str, ...]:
        """Each of ``console_origin``, without a slash at its end."""
        origins = (each.strip().rstrip("/") for each in self.console_origin.split(","))
        return tuple(each for each in origins if each)

    @property
    def console_url(self) -> str:
        """Where a browser on this machine finds the console, with a slash at its end."""
        host, _, port = self.console_address.rpartition(":")
        near = "localhost" if host in ("0.0.0.0", "[::]") else host
        return f"{'https' if self.console_certificate else 'http'}://{near}:{port}/"

    @property
    def secured(self) -> bool:
        """Whether listeners are TLS and every call has to be authenticated."""
        return bool(self.tls_directory)

    def database_url(self, service: ServiceName) -> str:
        """The database of ``service``."""
        url = str(getattr(self, f"{service}_database"))
        return url or f"sqlite:///{self.home.absolute() / service}.db"

    @property
    def key_source(self) -> str:
        """Where the keys of all secrets are, as ``key_file`` says it."""
        return self.key_file or str(self.home / "secret.key")

    @property
    def key_variable(self) -> str:
        """The variable that holds the keys; empty where they are elsewhere."""
        return self.key_file.removeprefix("env:") if self.key_file.startswith("env:") else ""

    @property
    def egress(self) -> EgressPolicy:
        """Where targets may reach. Raises InvalidArgument."""
        try:
            return parse_policy(self.egress_allow, self.profile, self._own_endpoints())
        except ValueError as error:
            raise InvalidArgument(Reason.FIELD_INVALID, f"egress_allow: {error}") from None

    def _own_endpoints(self) -> tuple[OwnEndpoint, ...]:
        """Every address of a service, and every database that is a server."""
        values = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        listeners = [value for name, value in values.items() if name.endswith("_address")]
        databases = [value for name, value in values.items() if name.endswith("_database")]
        split = [value.rpartition(":") for value in listeners]
        own = [
            OwnEndpoint(host.strip("[]"), int(port)) for host, _, port in split if port.isdigit()
        ]
        return (*own, *(each for url in databases for each in _servers_of(url)))

    @property
    def caller(self) -> str:
        """Who a change is said to be by, where nobody has to prove it.

        The local account's name; ``uid-N`` where there is none, as often in a container.
        """
        if self.user:
            return self.user
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"uid-{os.getuid()}"


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. Unknown ``IBS_NOTIFY_*`` names and bad values are errors."""
    environment = os.environ if environment is None else environment
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value and name != TOKEN_VARIABLE
    }
    path = given.pop("settings", "")
    file = Path(path) if path else Path(given.get("home", "var")) / "settings.toml"
    values = {**_read(file, required=bool(path)), **given}
    known = {field.name for field in fields(Settings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"unknown setting: {', '.join(unknown)}",
            advice=f"known are {', '.join(sorted(known))}",
        )
    typed = {
        **values,
        "home": Path(values.get("home", "var")),
        **{name: _whole_number(name, values[name]) for name in _NUMBERS if name in values},
    }
    settings = Settings(**typed)  # type: ignore[arg-type]  # every other field is text
    _check(settings)
    return settings


def _read(file: Path, *, required: bool) -> dict[str, str]:
    try:
        return {str(k): str(v) for k, v in tomllib.loads(file.read_text()).items()}
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise InvalidArgument(
                Reason.FIELD_INVALID, f"there is no settings file {file}"
            ) from None
        return {}
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(Reason.FIELD_INVALID, f"settings file {file}: {error}") from error


def _servers_of(database: str) -> list[OwnEndpoint]:
    """Where a database listens; nothing of one that is a file or behind a socket in one.

    Read as SQLAlchemy does: a password may hold what ends the host elsewhere.
    """
    found = _SERVER.fullmatch(database)
    if found is None:
        return []
    query = parse_qs(found["query"] or "")
    hosts = _each(query.get("host", [])) or [found["ipv6"] or found["host"] or "localhost"]
    ports = _each(query.get("port", [])) or [found["port"] or ""]
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    split = [each.rpartition(":") if each.count(":") == 1 else (each, "", "") for each in hosts]
    try:
        return [
            OwnEndpoint(host, int(own_port or port or 5432))
            for (host, _, own_port), port in zip(split, ports, strict=True)
            if not host.startswith("/")
        ]
    except ValueError:
        return []  # whoever opens the database says what is wrong


def _each(values: list[str]) -> list[str]:
    return [each for value in values for each in value.split(",")]


def _whole_number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidArgument(
            Reason.FIELD_INVALID, f"{name} {text!r} is not a whole number of 0 or more"
        )
    return int(text)


def _check(settings: Settings) -> None:
    for name in _DAYS:
        days: int = getattr(settings, name)
        if days > _MOST_DAYS:
            raise InvalidArgument(Reason.FIELD_INVALID, f"{name} {days} is over {_MOST_DAYS}")
    for name in (*ADDRESSES, "console_address"):
        address: str = getattr(settings, name)
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise InvalidArgument(Reason.FIELD_INVALID, f"{name} {address!r} is not host:port")
    if settings.profile not in ("development", "production"):
        raise InvalidArgument(
            Reason.FIELD_INVALID, "profile is neither 'development' nor 'production'"
        )
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise InvalidArgument(
            Reason.FIELD_INVALID, "log_level is none of debug, info, warning, error"
        )
    _ = settings.egress
    _check_console(settings)
    if not settings.secured:
        _check_unsecured(settings)


def _check_console(settings: Settings) -> None:
    """What browsers send is a token or what stands for it: off loopback it goes by TLS only."""
    if bool(settings.console_certificate) != bool(settings.console_key):
        raise InvalidArgument(
            Reason.FIELD_INVALID, "console_certificate and console_key belong together: set both"
        )
    for origin in settings.console_origins:
        parts = urlsplit(origin)
        plain = f"{parts.scheme}://{parts.netloc}" == origin and parts.hostname
        if parts.scheme not in ("http", "https") or not plain or "@" in parts.netloc:
            raise InvalidArgument(
                Reason.FIELD_INVALID,
                f"console_origin {origin!r} is not of the form https://notify.example.com",
                advice="scheme, host and perhaps a port, and no path",
            )
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise InvalidArgument(
                Reason.FIELD_INVALID,
                f"console_origin {origin!r} has to be https: it is no loopback",
            )
    host = settings.console_address.rpartition(":")[0].strip("[]")
    if settings.secured and not settings.console_certificate and not _is_loopback(host):
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"console_address {settings.console_address!r} is not on loopback, and without "
            "console_certificate tokens would go there in clear text",
            advice="set console_certificate and console_key, or listen on loopback behind a proxy",
        )


def _check_unsecured(settings: Settings) -> None:
    """Without certificates whoever reaches a port may do everything."""
    advice = "make certificates with ibs-notify certs init, and set tls_directory"
    if settings.profile == "production":
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            "the profile production needs tls_directory",
            advice=f"{advice}; or set the profile development, on loopback",
        )
    for name in (*ADDRESSES, "console_address"):
        address: str = getattr(settings, name)
        if not _is_loopback(address.rpartition(":")[0].strip("[]")):
            raise InvalidArgument(
                Reason.FIELD_INVALID,
                f"{name} {address!r} is not on loopback, and without tls_directory there is "
                "neither TLS nor authentication",
                advice=advice,
            )


def _is_loopback(host: str) -> bool:
    try:
        return range_of(ip_address(host)).kind is Kind.LOOPBACK
    except ValueError:
        return host.lower() == "localhost"
