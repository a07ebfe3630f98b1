"""The rooms of the house: who may import whom, which files decide purely, and what stays equal."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ibs_notify.domain.errors import Reason
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1.error_reason_pb2 import ErrorReason
from ironcore.notification.v1.event_pb2 import Severity as ProtoSeverity

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "services" / "ibs_notify"
MOST_LINES = 450

GRPC = frozenset({"grpc", "grpc_health", "grpc_reflection", "grpc_status", "google"})
API = "ironcore"


@dataclass(frozen=True, slots=True)
class Room:
    """``rooms`` of ours and ``packages`` of others that may be imported; None: any of others'."""

    rooms: frozenset[str]
    packages: frozenset[str] | None = frozenset()


FOUNDATION = frozenset({"domain", "settings"})
SERVICE = Room(
    FOUNDATION | {API, "rules", "templates", "secrets", "rpc", "store", "audit", "snapshot"},
    packages=None,
)
CALLER = Room(FOUNDATION | {API, "rpc"}, GRPC | {"click", "rich", "yaml"})

ROOMS = {
    "domain": Room(frozenset()),
    "settings": Room(frozenset({"domain"})),
    "rules": Room(frozenset({"domain"}), frozenset({"lark"})),
    "templates": Room(frozenset({"domain"}), frozenset({"jinja2"})),
    "secrets": Room(frozenset({"domain"}), frozenset({"cryptography"})),
    "rpc": Room(FOUNDATION | {API}, GRPC | {"uvloop", "cryptography"}),
    "store": Room(frozenset({"domain"}), frozenset({"sqlalchemy", "alembic"})),
    "audit": Room(frozenset({"domain", "store", "rpc", API}), GRPC | {"sqlalchemy"}),
    "snapshot": Room(frozenset({"domain", "rules", "templates", "rpc", API}), GRPC),
    "config": SERVICE,
    "router": SERVICE,
    "delivery": SERVICE,
    "cli": CALLER,
    "console": Room(CALLER.rooms, packages=None),
    "client": Room(CALLER.rooms, GRPC),
    "launcher": Room(CALLER.rooms, (CALLER.packages or frozenset()) | {"cryptography"}),
}

PURE = (
    "config.announcement",
    "audit.document",
    "audit.entry",
    "router.collapse",
    "router.coverage",
    "router.coverage_reach",
    "router.coverage_silences",
    "router.dedup",
    "router.digest",
    "router.dispositions",
    "router.emitter_bounds",
    "router.fingerprint",
    "router.identity",
    "router.ledger",
    "router.limit",
    "router.match",
    "router.notices",
    "router.overlap",
    "router.pipeline",
    "router.preview",
    "router.release",
    "router.route_index",
    "router.scope",
    "router.silence",
    "router.standing",
    "router.why",
    "delivery.admission",
    "delivery.audited",
    "delivery.digests.windows",
    "delivery.draft",
    "delivery.outlook",
    "delivery.presets.endpoint",
    "delivery.presets.verdict",
    "delivery.reports.codec",
    "delivery.reports.digest_durations",
    "delivery.reports.digest_lines",
    "delivery.reports.digest_report",
    "delivery.reports.digest_standing",
    "delivery.reports.digest_variables",
    "delivery.reports.event_result",
    "delivery.reports.stored",
    "delivery.reports.weekly_report",
    "delivery.reports.weekly_variables",
    "delivery.reports.words",
    "delivery.sending.retry",
    "delivery.sending.settle",
    "delivery.targets.breaker",
    "delivery.targets.max_rate",
    "delivery.transports.redact",
    "delivery.transports.signing",
    "delivery.transports.template_choice",
    "client.retry",
    "client.segment",
)
"""Files that decide: they see values and the moment, and nothing of where these come from."""

PURE_ON_MESSAGES = (
    "config.audited",
    "config.masks",
    "config.secret_fields",
    "config.secrets_policy",
    "config.signing_rotation",
    "config.token_uses",
    "config.validate_group",
    "config.validate_target",
    "config.validate_templates",
    "config.validate_token",
    "config.validate_webhook",
    "config.warn_group",
    "config.warn_target",
    "config.webhook_address",
)
"""As above, but of Config, whose documents are the API's messages from the wire to the disk."""

IMPURE = frozenset({"grpc", "grpc_health", "grpc_status", "sqlalchemy", "alembic"})
IMPURE |= {"aiohttp", "aiosmtplib"}
MESSAGES = frozenset({API, "google"})


def module_of(path: Path) -> str:
    """``ibs_notify.router.match`` for its file; a package's own name for ``__init__.py``."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts}


def is_ours(module: str) -> bool:
    return module.startswith("ibs_notify.")


def room_of(module: str) -> str:
    """The room of a module of ours, the package of another."""
    return module.removeprefix("ibs_notify.").partition(".")[0]


def files_in(room: str) -> list[str]:
    return [module for module in FILES if is_ours(module) and room_of(module) == room]


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that ``module`` imports, wherever in the file."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in _names(node))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        origin = node.module or ""
        inner = [f"{origin}.{alias.name}" for alias in node.names]
        modules = [name for name in inner if name in FILES]
        yield from modules or [origin]


def reachable(module: str) -> dict[str, str]:
    """Whatever importing ``module`` imports, each with the module of ours that does so."""
    found: dict[str, str] = {}
    ahead = [module]
    while ahead:
        current = ahead.pop()
        for name in imports(current) - found.keys():
            found[name] = current
            if name in FILES:
                ahead.append(name)
    return found


def test_every_file_belongs_to_a_room() -> None:
    assert {room_of(module) for module in FILES if is_ours(module)} <= ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_the_rooms_below_it(room: str) -> None:
    allowed = ROOMS[room].rooms | {room}
    wrong = [
        f"{module} imports {name}"
        for module in files_in(room)
        for name in imports(module)
        if (is_ours(name) or room_of(name) == API) and room_of(name) not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize(
    "room", [name for name, room in ROOMS.items() if room.packages is not None]
)
def test_a_room_uses_only_the_packages_it_was_given(room: str) -> None:
    allowed = (ROOMS[room].packages or frozenset()) | sys.stdlib_module_names
    wrong = [
        f"{module} imports {name}"
        for module in files_in(room)
        for name in imports(module)
        if not is_ours(name) and room_of(name) not in allowed | {API}
    ]
    assert not wrong


@pytest.mark.parametrize("module", [*PURE, *PURE_ON_MESSAGES])
def test_a_file_that_decides_touches_no_wire_and_no_database(module: str) -> None:
    forbidden = IMPURE if module in PURE_ON_MESSAGES else IMPURE | MESSAGES
    wrong = [
        f"{importer} imports {name}"
        for name, importer in reachable(f"ibs_notify.{module}").items()
        if not is_ours(name) and room_of(name) in forbidden
    ]
    assert not wrong


def test_mails_are_made_in_one_file_and_by_nothing_that_takes_raw_headers() -> None:
    """``Header`` and ``email.mime`` let line breaks through; a policy refuses them."""
    makers = {
        module
        for module in FILES
        if imports(module) & {"email.headerregistry", "email.message", "email.policy"}
    }
    assert makers <= {"ibs_notify.delivery.transports.mail_message"}
    raw = {"email.header", "email.mime", "email.generator", "email.charset", "smtplib"}
    for module in FILES:
        origins = {".".join(name.split(".")[:2]) for name in imports(module)}
        assert not origins & raw, module


def test_only_the_composition_roots_and_their_mains_import_an_app() -> None:
    roots = {f"ibs_notify.{service}.app" for service in ("config", "router", "delivery")}
    importers = {module for module in FILES if imports(module) & roots}
    assert importers <= {f"ibs_notify.{room_of(root)}.__main__" for root in roots}


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "helper", "common", "misc"])
def test_no_file_is_named_after_nothing(name: str) -> None:
    assert not [path for path in FILES.values() if path.stem == name]


def test_no_file_is_two_rooms() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in FILES.items()}
    assert not {module: lines for module, lines in lengths.items() if lines > MOST_LINES}


def test_the_reasons_of_errors_are_those_of_the_api() -> None:
    api = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118  # an enum wrapper is no mapping
    assert api - {"UNSPECIFIED"} == {reason.value for reason in Reason}


def test_the_severities_are_those_of_the_api() -> None:
    api = {name.removeprefix("SEVERITY_"): number for name, number in ProtoSeverity.items()}
    assert api == {"UNSPECIFIED": 0, **{each.name: each.value for each in Severity}}
