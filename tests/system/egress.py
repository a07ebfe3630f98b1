"""Try every way to reach where targets must not, with every kind of target, and count connections.

    unshare --net --mount python -m tests.system.egress [--processes DIRECTORY]

Prints vectors, attempts and connections made, and beside them what proves that the canaries see:
the same vector dialled without the guard, or with a list that holds it. The exit code is 1 where a
connection was made, an attempt ended with another reason, or a canary was blind. ``--processes``
goes through Config and Delivery as processes, by a saved target, a draft and a delivery.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from ibs_notify.delivery.transports.base import Message, OutcomeReason, Transport
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.egress import OwnEndpoint, parse_policy
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.preset import NEEDS, Preset
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    WEBHOOK_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
    header_secret,
)
from tests.support.metric_book import MemoryBook
from tests.support.transports import message
from tests.system.egress_processes import NOT_SAVED, REFUSED, ByWay, through_processes
from tests.system.egress_vectors import (
    CANARY_PORT,
    OWN_PORTS,
    PROXIES,
    PROXY_PORT,
    PUBLIC,
    PUBLIC_6,
    REDIRECTS,
    URL_TRICKS,
    Gate,
    Vector,
    own_port_vectors,
    vectors,
)
from tests.system.egress_world import WEB_PORT, Canaries, canaries, world

ATTEMPT_SECONDS = 20.0
TURNS = 4
"""Attempts with a name whose answers change."""
SECRETS = {
    WEBHOOK_TOKEN: "t0ken",
    INFLUXDB_TOKEN: "t0ken",
    header_secret("Authorization"): "Bearer t0ken",
}
REFUSED_ALWAYS = ("loopback", "number", "private", "special", "name", "own port")
"""The kinds that never connect; the others also go to public addresses."""
NO_SUCH_NAME = ("DNS_FAILED", "test: resolve failed")
BLIND = {"loopback": 1, "special": 6, "name": 2}
"""Where nothing connects in any case: groups, broadcast, a link-local address without its zone, and
``localhost.``, which the resolver of C does not find in ``/etc/hosts``."""
OWN = tuple(OwnEndpoint("127.0.0.1", port) for port in OWN_PORTS)
CLOSED = Dialler(parse_policy("public", "production", OWN))
OPEN = Dialler(parse_policy("public, private, loopback", "production", OWN))
MAY_CONNECT = (PUBLIC, PUBLIC_6)
MAY_REBIND = [(host, CANARY_PORT) for host in MAY_CONNECT]
NEWS = message("ops@example.org", type="notification.test")


@dataclass(slots=True)
class Row:
    """What became of all vectors of a kind. ``seen``: those that the canaries did see before."""

    vectors: int = 0
    seen: int = 0
    attempts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    connects: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest: float = 0.0


def specs_of(host: str, port: int) -> dict[str, TargetSpec]:
    """Every kind of target there is, pointed to ``host``."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return {
        **web_specs(f"http://{authority}/"),
        "https": WebhookSpec(f"https://{authority}/hook"),
        "smtp": SmtpSpec(host, port, TlsMode.NONE),
        "smtps": SmtpSpec(host, port, TlsMode.IMPLICIT),
    }


def web_specs(url: str) -> dict[str, TargetSpec]:
    """Every kind of target that has a URL, with secrets where it can."""
    found: dict[str, TargetSpec] = {
        "webhook": WebhookSpec(url, headers=("Authorization",)),
        "influxdb": InfluxDbSpec(url, "org", "bucket"),
        "pushgateway": PushgatewaySpec(url),
    }
    for preset in Preset:
        values = dict.fromkeys(NEEDS[preset].fields, "+491701234567")
        topic = f"{url}topic" if preset is Preset.NTFY else url
        found[preset] = WebhookSpec(topic, preset=preset, **values)  # type: ignore[arg-type]
    return found


async def attempts_of(spec: TargetSpec, dialler: Dialler, row: Row, turns: int = 1) -> None:
    """Deliver and test, each ``turns`` times, and note how it ended."""
    settings = InstallationSettings()
    target = Target("t", "u", spec)
    for way in (_delivered, _tested):
        try:
            transport = build_transport(
                target, SECRETS, settings, SystemClock(), MemoryBook(), dialler
            )
        except InvalidArgument:
            row.reasons["refused when built"] += 1
            row.attempts += 1
            continue
        try:
            for _ in range(turns):
                began = time.monotonic()
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    row.reasons[await way(transport, NEWS)] += 1
                row.slowest = max(row.slowest, time.monotonic() - began)
                row.attempts += 1
        finally:
            await transport.close()


async def _delivered(transport: Transport, news: Message) -> str:
    return (await transport.attempt(news)).reason.value


async def _tested(transport: Transport, news: Message) -> str:
    last = (await transport.test(news))[-1]
    refused = ("no target", "egress_allow", "no plain IP address")
    if not last.ok and any(words in last.detail for words in refused):
        return OutcomeReason.ADDRESS_REFUSED.value
    return f"test: {last.name} {'ok' if last.ok else 'failed'}"


async def try_vector(vector: Vector, seen: Canaries, row: Row) -> None:
    """Dial it unguarded, so that the canary is known to see it; then with the guard."""
    row.vectors += 1
    host, port = vector.host, vector.port
    if vector.gate is Gate.LIST:
        await attempts_of(SmtpSpec(host, port, TlsMode.NONE), OPEN, Row())
    else:
        await asyncio.to_thread(_dial_unguarded, host, port)
    await seen.settle()
    row.seen += bool(seen.take())
    for spec in specs_of(host, port).values():
        await attempts_of(spec, CLOSED, row, TURNS if vector.rebinding else 1)
    await seen.settle()
    for place, count in seen.take().items():
        if not (vector.rebinding and place in MAY_REBIND):
            row.connects[place] += count


def _dial_unguarded(host: str, port: int) -> None:
    with suppress(OSError):
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, protocol) as sock, suppress(OSError):
                sock.settimeout(2)
                sock.connect(address)


async def try_urls(seen: Canaries, row: Row) -> None:
    """URLs that two readers may read differently: where they go is public, or nowhere."""
    for trick in URL_TRICKS:
        row.vectors += 1
        for spec in web_specs(trick.format(public=PUBLIC)).values():
            await attempts_of(spec, CLOSED, row)
    await _note_connects(seen, row)


async def try_redirects(seen: Canaries, row: Row) -> None:
    """A public server that sends us elsewhere."""
    for seen.redirect in REDIRECTS:
        row.vectors += 1
        for spec in web_specs(f"http://{PUBLIC}:{WEB_PORT}/").values():
            await attempts_of(spec, OPEN, row)
    await seen.settle()
    row.seen = row.vectors if seen.connects[PUBLIC, WEB_PORT] >= row.vectors else 0
    await _note_connects(seen, row)


async def _note_connects(seen: Canaries, row: Row) -> None:
    await seen.settle()
    row.connects += Counter(
        {
            place: count
            for place, count in seen.take().items()
            if place[0] not in MAY_CONNECT or place[1] == PROXY_PORT
        }
    )


async def run(processes: Path | None) -> tuple[dict[str, Row], ByWay]:
    """Everything, by kind of vector; and, with a directory for it, through processes."""
    rows: dict[str, Row] = {}
    ways = ByWay()
    async with canaries(CANARY_PORT, WEB_PORT, PROXY_PORT, *OWN_PORTS) as seen:
        for vector in (*vectors(), *own_port_vectors()):
            await try_vector(vector, seen, rows.setdefault(vector.kind, Row()))
        await try_urls(seen, rows.setdefault("url", Row()))
        await try_redirects(seen, rows.setdefault("redirect", Row()))
        if processes is not None:
            ways = await asyncio.to_thread(through_processes, processes)
            row = rows.setdefault("processes", Row())
            row.attempts = sum(ends.total() for ends in ways.ended.values())
            await _note_connects(seen, row)
    return rows, ways


def faults_of(rows: Mapping[str, Row], ways: ByWay) -> Iterator[str]:
    """What must not be."""
    for kind, row in rows.items():
        if row.connects:
            yield f"{kind}: connected to {dict(row.connects)}"
        if kind in REFUSED_ALWAYS and row.reasons.keys() - {REFUSED, *NO_SUCH_NAME}:
            yield f"{kind}: ended with {dict(row.reasons)}"
        if kind in REFUSED_ALWAYS and row.seen < row.vectors - BLIND.get(kind, 0):
            yield f"{kind}: the canaries saw {row.seen} of {row.vectors} without the guard"
        if row.reasons[OutcomeReason.INTERNAL]:
            yield f"{kind}: a fault of ours"
    for way, ends in ways.ended.items():
        if ends.keys() - {REFUSED, NOT_SAVED}:
            yield f"{way}: ended with {dict(ends)}"


def lines_of(rows: Mapping[str, Row], ways: ByWay) -> Iterator[str]:
    """A table, and how the attempts ended."""
    yield f"{'kind':<12}{'vectors':>8}{'seen':>6}{'attempts':>10}{'slowest':>10}{'connects':>10}"
    for kind, row in rows.items():
        yield (
            f"{kind:<12}{row.vectors:>8}{row.seen:>6}{row.attempts:>10}"
            f"{row.slowest:>9.2f}s{row.connects.total():>10}"
        )
        if row.reasons:
            yield "            " + ", ".join(f"{k} {n}" for k, n in row.reasons.most_common())
    for way, ends in ways.ended.items():
        yield f"{way:>12}: " + ", ".join(f"{end} {count}" for end, count in ends.most_common())
    attempts = sum(row.attempts for row in rows.values())
    connects = sum(row.connects.total() for row in rows.values())
    tried = sum(row.vectors for row in rows.values())
    yield f"{tried} vectors tried in {attempts} attempts, {connects} connects made"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="egress", description=str(__doc__).splitlines()[0])
    parser.add_argument("--processes", type=Path, help="an empty directory for the services")
    chosen = parser.parse_args(arguments)
    os.environ.update(PROXIES)
    with world():
        rows, ways = uvloop.run(run(chosen.processes))
    print("\n".join(lines_of(rows, ways)))
    faults = list(faults_of(rows, ways))
    print(*faults, sep="\n", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
