"""What a transport may dial: judged at the moment of dialling, by the address that is dialled.

``tests/system/egress.py`` tries all vectors in a network of its own; these run anywhere.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE, StillClock, message

from ibs_notify.delivery.targets.breaker import Sign, sign_of
from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Stage, Verdict
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.stages import AttemptFailed
from ibs_notify.domain.egress import OwnEndpoint, parse_policy
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
)

KINDS = ("webhook", "https", "smtp", "smtps", "influxdb", "pushgateway")
PRODUCTION = Dialler(parse_policy("", "production"))


class Canary:
    """Counts the connections to a port of every loopback address."""

    connects = 0

    def __init__(self, port: int) -> None:
        self.port = port

    def accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        writer.close()


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        seen = Canary(free.getsockname()[1])
    servers = [
        await asyncio.start_server(seen.accept, host, seen.port) for host in ("0.0.0.0", "::1")
    ]
    try:
        yield seen
    finally:
        for server in servers:
            server.close()


def spec_of(kind: str, host: str, port: int) -> TargetSpec:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    specs: dict[str, TargetSpec] = {
        "webhook": WebhookSpec(f"http://{authority}/hook"),
        "https": WebhookSpec(f"https://{authority}/hook"),
        "smtp": SmtpSpec(host, port, TlsMode.NONE),
        "smtps": SmtpSpec(host, port, TlsMode.IMPLICIT),
        "influxdb": InfluxDbSpec(f"http://{authority}", "org", "bucket"),
        "pushgateway": PushgatewaySpec(f"http://{authority}"),
    }
    return specs[kind]


async def tried(spec: TargetSpec, dialler: Dialler) -> tuple[Outcome, Sequence[Stage]]:
    transport = build_transport(
        Target("t", "u", spec),
        {INFLUXDB_TOKEN: "t0ken"},
        InstallationSettings(),
        StillClock(),
        MemoryBook(),
        dialler,
    )
    try:
        news = message("ops@example.org", type="notification.test")
        return await transport.attempt(news), await transport.test(news)
    finally:
        await transport.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_address_that_is_not_listed_is_never_dialled(kind: str, host: str) -> None:
    async with canary() as seen:
        outcome, stages = await tried(spec_of(kind, host, seen.port), PRODUCTION)
        assert seen.connects == 0
        assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, OutcomeReason.ADDRESS_REFUSED)
        assert "egress_allow" in outcome.reply
        assert not outcome.maybe_accepted
        assert (stages[-1].name, stages[-1].ok) == ("resolve", False)
        assert "egress_allow" in stages[-1].detail
        await tried(spec_of(kind, host, seen.port), ANYWHERE)
        assert seen.connects > 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_port_of_this_installation_is_never_dialled(kind: str) -> None:
    async with canary() as seen:
        own = [OwnEndpoint("0.0.0.0", seen.port)]
        dialler = Dialler(parse_policy("public, private, loopback", "production", own))
        for host in ("127.0.0.1", "127.3.3.3", "::1"):
            outcome, stages = await tried(spec_of(kind, host, seen.port), dialler)
            assert outcome.reason is OutcomeReason.ADDRESS_REFUSED
            assert "this installation itself" in outcome.reply
            assert "this installation itself" in stages[-1].detail
        assert seen.connects == 0


class Names:
    """A resolver whose answers change with each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def getaddrinfo(self, _host: str, port: int, **_options: Any) -> list[Any]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (each, port, 0, 0) if ":" in each else (each, port),
            )
            for each in answer
        ]


ONLY_SIX = Dialler(parse_policy("::1/128", "production"))
"""So that of two families on loopback one is allowed, and the other is where nobody may go."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_is_judged_by_each_of_its_answers(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254", "127.0.0.1"])
    async with canary() as seen:
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        outcome, stages = await tried(spec_of(kind, "name.test", seen.port), ONLY_SIX)
        assert seen.connects == 0
        assert names.asked == 2
    assert outcome.reason is OutcomeReason.ADDRESS_REFUSED
    assert "169.254.169.254 is a link-local or metadata address" in stages[-1].detail


@pytest.mark.parametrize("kind", KINDS)
async def test_of_several_addresses_the_refused_ones_are_left_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with canary() as seen:
        names = Names(["169.254.169.254", "127.0.0.1", "::1"])
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        outcome, stages = await tried(spec_of(kind, "name.test", seen.port), ONLY_SIX)
        assert seen.connects > 0
    assert outcome.reason is not OutcomeReason.ADDRESS_REFUSED
    assert (stages[0].name, stages[0].detail) == ("resolve", "::1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_name_that_answers_inside_the_second_time_gets_no_second_connection(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with canary() as seen:
        names = Names(["::1"], ["127.0.0.1"])
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        first, stages = await tried(spec_of(kind, "name.test", seen.port), ONLY_SIX)
        once = seen.connects
        again, _ = await tried(spec_of(kind, "name.test", seen.port), ONLY_SIX)
        assert seen.connects == once
    assert first.reason is not OutcomeReason.ADDRESS_REFUSED
    assert again.reason is OutcomeReason.ADDRESS_REFUSED
    assert not stages[-1].ok


async def test_a_number_for_a_host_is_no_address_for_the_web() -> None:
    async with canary() as seen:
        for number in ("2130706433", "127.1", "017700000001"):
            outcome, _ = await tried(WebhookSpec(f"http://{number}:{seen.port}/"), PRODUCTION)
            assert outcome.reason is OutcomeReason.ADDRESS_REFUSED
        assert seen.connects == 0


def test_a_refused_address_is_a_fault_of_the_target_as_a_whole() -> None:
    assert sign_of(Outcome(Verdict.RETRY, OutcomeReason.ADDRESS_REFUSED)) is Sign.FAILS


async def test_names_of_which_nobody_answers_hold_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends, asked, answer = threading.Event(), [], socket.getaddrinfo

    def silent(host: str, port: int, **options: Any) -> list[Any]:
        if host.endswith(".silent.test"):
            asked.append(host)
            ends.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
        return answer(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    dialler = Dialler(parse_policy("", "development"))
    names = [f"mx{number % 8}.silent.test" for number in range(80)]
    waiting = [asyncio.create_task(dialler.resolve(name, 25)) for name in names]
    try:
        async with asyncio.timeout(5):
            found = await dialler.resolve("127.0.0.1", 25)
        assert [each[4][0] for each in found] == ["127.0.0.1"]
    finally:
        ends.set()
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(failure) for failure in failures} == {OutcomeReason.DNS_FAILED}
    assert sorted(asked) == sorted(set(names))


@pytest.mark.parametrize("host", ["10.9.9.9", "::ffff:10.9.9.9", "64:ff9b::10.9.9.9"])
async def test_an_address_of_this_machine_is_known_in_each_of_its_forms(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names([host]).getaddrinfo)
    monkeypatch.setattr(dial, "_is_bindable", lambda address: str(address) == "10.9.9.9")
    own = [OwnEndpoint("127.0.0.1", 50051)]
    dialler = Dialler(parse_policy("public, private", "production", own))
    with pytest.raises(AttemptFailed) as refused:
        await dialler.resolve("name.test", 50051)
    assert "belongs to this installation itself" in refused.value.outcome.reply
