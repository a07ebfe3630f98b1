"""Points to InfluxDB, beside the bare library writing the same ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import uvloop
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write.point import Point

from ibs_notify.delivery.sending.batching import MOST_TOGETHER
from ibs_notify.delivery.transports.base import Message, Verdict
from ibs_notify.delivery.transports.influxdb import InfluxDbTransport
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.target import InfluxDbSpec
from tests.bench.lines import Line, Note, middle
from tests.bench.outbound import message_of
from tests.bench.processes import started
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE

BATCHES = 40


def influxdb(rounds: int) -> Sequence[Line | Note]:
    """CPU of a point in a batch, to a server that keeps nothing."""
    ours, floors, rates = [], [], []
    with started("tests.bench.sinks", "webhook") as sink:
        url = f"http://127.0.0.1:{sink.port}"
        for _ in range(rounds):
            cpu, wall = uvloop.run(_transport(url))
            ours.append(cpu)
            rates.append(1e6 / wall)
            floors.append(uvloop.run(_library(url))[0])
    ratio = middle([mine / bare for mine, bare in zip(ours, floors, strict=True)])
    figures = f"{middle(ours):.1f} µs", f"influxdb-client {middle(floors):.1f} µs"
    return [
        Line("", "point to InfluxDB: CPU", *figures, ratio, 1.5, at_most=True),
        Note("points to InfluxDB, batches of 500", f"{middle(rates):,.0f}/s"),
    ]


def _messages() -> list[Message]:
    made = []
    for number in range(MOST_TOGETHER):
        message = message_of(number)
        event = message.event
        event = replace(event, canonical_resource=canonical(event.resource))
        made.append(replace(message, sequence=number, event=event))
    return made


async def _transport(url: str) -> tuple[float, float]:
    messages = _messages()
    spec = InfluxDbSpec(url, "org", "bucket")
    transport = InfluxDbTransport("bench", spec, "token", MemoryBook(), SystemClock(), ANYWHERE)

    async def write() -> None:
        outcomes = await transport.attempt_all(messages)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}, outcomes[0]

    try:
        return await _timed(write)
    finally:
        await transport.close()


async def _library(url: str) -> tuple[float, float]:
    messages = _messages()
    async with InfluxDBClientAsync(url, "token", "org") as client:

        async def write() -> None:
            assert await client.write_api().write("bucket", record=list(map(_bare, messages)))

        return await _timed(write)


def _bare(message: Message) -> Point:
    """The same tags and fields, straight from the event."""
    event = message.event
    point: Point = Point("ibs_event").time(int(event.timestamp.timestamp()) * 10**9)
    point.tag("type", event.type).tag("severity", "error").tag("source", "backup")
    point.tag("datastore", "ibs-primary").field("count", 1)
    for name in ("event_id", "type", "subject", "summary", "actor", "resource", "task_id"):
        point.field(name, getattr(event, name))
    return point.field("event_time", "2026-05-21T02:14:35.000000+00:00")  # type: ignore[no-any-return]  # the library has no types here


async def _timed(write: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """CPU of this process and time, in µs for each point."""
    await write()
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(BATCHES):
        await write()
    count = BATCHES * MOST_TOGETHER
    return (
        (time.process_time() - cpu) / count * 1e6,
        (time.perf_counter() - began) / count * 1e6,
    )
