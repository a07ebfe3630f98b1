"""What TLS and a token cost: the same Router, by TLS and in clear text."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc

from ibs_notify.rpc.channel import OPTIONS, open_plain_channel
from tests.bench import load
from tests.bench.lines import Line, Note
from tests.bench.processes import Server, client_pinned, started
from tests.bench.router_alone import TOKEN
from tests.support.certificates import Certificates

CALLS, BATCHES, BATCH = 6_000, 100, 100
Measure = Callable[[Server, load.Connect], load.Figures]


def emit(rounds: int) -> list[Line | Note]:
    """CPU of the Router for each event, and of the client for each call, as ratios."""
    with tempfile.TemporaryDirectory() as home:
        certificates = Certificates.made_in(Path(home) / "tls")
        return [
            _compare("Emit by TLS, 32 in flight", _calls, certificates, rounds),
            _compare("EmitBatch(100) by TLS", _batches, certificates, rounds),
        ]


def _calls(server: Server, connect: load.Connect) -> load.Figures:
    asyncio.run(load.unary(server, CALLS // 6, 32, connect))
    return asyncio.run(load.unary(server, CALLS, 32, connect))


def _batches(server: Server, connect: load.Connect) -> load.Figures:
    asyncio.run(load.batches(server, BATCHES // 6, BATCH, connect=connect))
    return asyncio.run(load.batches(server, BATCHES, BATCH, connect=connect))


def _compare(what: str, measure: Measure, certificates: Certificates, rounds: int) -> Note:
    plain: list[float] = []
    encrypted: list[float] = []
    ratios: list[float] = []
    clients: list[float] = []
    for _ in range(rounds):
        cost, client = _cost(measure, certificates, secured=False)
        tls_cost, tls_client = _cost(measure, certificates, secured=True)
        plain.append(cost)
        encrypted.append(tls_cost)
        ratios.append(tls_cost / cost)
        clients.append(tls_client / client)
    return Note(
        what,
        f"{median(encrypted):.0f} µs/event of the Router, {median(plain):.0f} in clear text, "
        f"ratio {median(ratios):.2f}; the client with a token {median(clients):.2f}",
    )


def _cost(measure: Measure, certificates: Certificates, *, secured: bool) -> tuple[float, float]:
    """µs of the Router for each event, and seconds of the client."""
    with _router(certificates if secured else None) as (server, connect):
        began = time.process_time()
        return measure(server, connect).cpu, time.process_time() - began


@contextmanager
def _router(certificates: Certificates | None) -> Iterator[tuple[Server, load.Connect]]:
    directory = str(certificates.directory) if certificates else ""
    with (
        client_pinned(),
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.router_alone", home, "2", "", directory) as server,
    ):
        yield server, _by_tls(certificates) if certificates else open_plain_channel


def _by_tls(certificates: Certificates) -> load.Connect:
    credentials = grpc.composite_channel_credentials(
        certificates.credentials(), grpc.access_token_call_credentials(TOKEN)
    )
    return lambda address: grpc.aio.secure_channel(address, credentials, options=OPTIONS)
