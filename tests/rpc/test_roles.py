"""Every call as every kind of caller, over real servers: the answers are those of the docs' table.

Also: what is in the table is what is served, so that no rpc is forgotten.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.support.secured import Metadata, Secured, bearing, secured

from ibs_notify.domain.errors import NotificationError, PermissionDenied, Unauthenticated
from ibs_notify.domain.principal import Role, Service
from ibs_notify.rpc import access
from ibs_notify.rpc.access import ACCESS
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification import v1

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
STREAM_SECONDS = 0.3
"""A stream that has said nothing for so long was let through: a refusal comes at once."""
BUSY_SECONDS = 3.0
"""Unless the machine is busy: one that should have been refused is asked again."""

LET_IN, UNKNOWN, DENIED = "let in", "unauthenticated", "denied"


def _services() -> dict[str, ServiceDescriptor]:
    """Every service that our protos have, health and reflection, by short name."""
    found: list[ServiceDescriptor] = []
    for module in pkgutil.iter_modules(v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR
            found += file.services_by_name.values()
    found += health_pb2.DESCRIPTOR.services_by_name.values()
    found += reflection_pb2.DESCRIPTOR.services_by_name.values()
    return {each.name: each for each in found}


DESCRIPTORS = _services()
_OWN: Mapping[str, ServiceName] = {
    "ConfigService": "config",
    "RouterService": "router",
    "DeliveryService": "delivery",
}


def _rows() -> Iterator[list[str]]:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| Service | Calls |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def documented() -> dict[tuple[str, str], frozenset[str]]:
    """Who may call what, as the page says it; "everybody" is who proves nothing."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for service, calls, *cells, others in _rows():
        roles = {role.value for role, cell in zip(Role, cells, strict=True) if cell == "yes"}
        named = {each.strip() for each in others.split(",") if each.strip()}
        for call in re.findall(r"`(\w+)`", calls):
            assert (service, call) not in found, f"{service}.{call} is there twice"
            found[service, call] = frozenset(roles | named)
    return found


DOCUMENTED = documented()


@dataclass(frozen=True, slots=True)
class Caller:
    """``standing``: what the table calls it; empty where nothing is proved."""

    standing: str
    metadata: Metadata = ()
    holder: str = ""


async def _callers(running: Secured) -> dict[str, Caller]:
    tokens = {role.value: await running.make(f"a-{role}", role) for role in Role}
    bound = await running.make("bound", "emitter", sources=["backup"], resources=["/a"])
    dead = await running.make("revoked", "administrator")
    await running.revoke("revoked")
    old = await running.make("expired", "administrator", lives=timedelta(minutes=1))
    running.clock.ahead = timedelta(minutes=2)
    right = tokens["administrator"]
    presented = {
        "wrong secret": bearing(right[:-1] + ("0" if right[-1] != "0" else "1")),
        "unknown id": bearing(f"ibsn_{'0' * 16}{right[21:]}"),
        "expired": bearing(old),
        "revoked": bearing(dead),
        "malformed": bearing(right.upper()),
        "another scheme": (("authorization", f"Basic {right}"),),
        "doubled": bearing(right) * 2,
    }
    return {
        "nothing": Caller(""),
        **{name: Caller("", metadata) for name, metadata in presented.items()},
        # A certificate is no help to who presents a wrong token beside it.
        "wrong secret, certificate": Caller("", presented["wrong secret"], "administrator"),
        **{role: Caller(role, bearing(token)) for role, token in tokens.items()},
        "bound emitter": Caller("emitter", bearing(bound)),
        **{f"service:{each}": Caller(each, (), each) for each in Service},
        "certificate": Caller("administrator", (), "administrator"),
    }


async def _call(
    channel: grpc.aio.Channel,
    method: MethodDescriptor,
    metadata: Metadata,
    stream_seconds: float = STREAM_SECONDS,
) -> NotificationError | None:
    """What the call fails with; ``None`` where it was let in and did not fail."""
    make = getattr(
        channel,
        f"{'stream' if method.client_streaming else 'unary'}_"
        f"{'stream' if method.server_streaming else 'unary'}",
    )
    call = make(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    request = GetMessageClass(method.input_type)()
    arguments = iter(()) if method.client_streaming else request
    timeout = stream_seconds if method.server_streaming else 15.0
    try:
        answer = call(arguments, metadata=metadata, timeout=timeout)
        if method.server_streaming:
            await answer.read()
            answer.cancel()
        else:
            await answer
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


def _outcome(error: NotificationError | None) -> str:
    match error:
        case Unauthenticated():
            return UNKNOWN
        case PermissionDenied():
            return DENIED
        case _:
            return LET_IN


def _wanted(allowed: frozenset[str], caller: Caller) -> str:
    if "everybody" in allowed:
        return LET_IN
    if not caller.standing:
        return UNKNOWN
    return LET_IN if caller.standing in allowed else DENIED


def _served(service: ServiceName) -> Iterator[MethodDescriptor]:
    """What is asked at ``service``: its own, and what each of them has."""
    own = {name for name, owner in _OWN.items() if owner == service}
    for name in (*own, "AuditService", "Health", "ServerReflection"):
        yield from DESCRIPTORS[name].methods


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(tmp_path) as services:
        yield services


async def differences(running: Secured) -> tuple[int, list[str]]:
    """How many cells were tried, and those where what happened is not what the page says."""
    callers = await _callers(running)
    tried, wrong = 0, []
    for service in SERVICES:
        for method in _served(service):
            allowed = DOCUMENTED.get((method.containing_service.name, method.name), frozenset())
            for name, caller in callers.items():
                channel = running.channel(service, caller.holder)
                outcome = _outcome(await _call(channel, method, caller.metadata))
                tried += 1
                wanted = _wanted(allowed, caller)
                if outcome == LET_IN != wanted and method.server_streaming:
                    outcome = _outcome(await _call(channel, method, caller.metadata, BUSY_SECONDS))
                if outcome != wanted:
                    wrong.append(f"{service} {method.full_name} as {name}: {outcome}")
    return tried, wrong


async def test_every_call_as_every_caller_is_answered_as_the_page_says(running: Secured) -> None:
    tried, wrong = await differences(running)
    print(f"{tried} cells, {len(wrong)} not as docs/security.md says")  # the report
    assert wrong == []


def test_the_table_has_every_rpc_that_there_is_and_no_other() -> None:
    served = {
        f"/{service.full_name}/{method.name}"
        for service in DESCRIPTORS.values()
        for method in service.methods
    }
    assert served == ACCESS.keys()


def test_the_page_has_every_rpc_that_there_is_and_no_other() -> None:
    served = {
        (service.name, method.name)
        for service in DESCRIPTORS.values()
        for method in service.methods
    }
    assert served == DOCUMENTED.keys()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_has_more_rights_may_do_what_who_has_fewer_may(role: Role) -> None:
    above = {Role.VIEWER: Role.OPERATOR, Role.OPERATOR: Role.ADMINISTRATOR}[role]
    assert [method for method, who in ACCESS.items() if role in who and above not in who] == []


def test_what_is_in_no_table_is_allowed_to_nobody() -> None:
    assert access.allowed_to("/ironcore.notification.v1.ConfigService/Forgotten") == frozenset()


async def test_an_rpc_that_the_table_forgot_is_refused_to_everybody(
    running: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = "/ironcore.notification.v1.ConfigService/GetSettings"
    monkeypatch.setattr(access, "ACCESS", {k: v for k, v in ACCESS.items() if k != forgotten})
    method = DESCRIPTORS["ConfigService"].methods_by_name["GetSettings"]
    channel = running.channel("config", "administrator")
    assert _outcome(await _call(channel, method, ())) == DENIED
