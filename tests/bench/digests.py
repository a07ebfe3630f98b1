"""What a digest of very many events costs: time, memory, and how long anything else has to wait."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from pathlib import Path

import uvloop

from ibs_notify.delivery.model import State
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from tests.bench.lines import Line, Note, middle
from tests.support.delivery import FakeClock
from tests.support.digests import DAILY, NOON, Replica, entry

EVENTS = 100_000
BATCH = 1_000
MOST_WAIT_MS = 25.0
"""So long at most may anything else in the service have to wait for its turn."""


def of_100_000_events(rounds: int) -> list[Line | Note]:
    """On SQLite, where every transaction runs in the event loop."""
    seconds, waits, memory = zip(*(uvloop.run(_one()) for _ in range(rounds)), strict=True)
    wait = middle(list(waits))
    return [
        Note(
            f"a digest of {EVENTS:,} events",
            f"{middle(list(seconds)):.1f} s of CPU, {max(memory):.0f} MiB more at its peak",
        ),
        Line(
            "-",
            "the longest work that others wait for",
            f"{wait:.1f} ms",
            f"{MOST_WAIT_MS:.0f} ms",
            wait / MOST_WAIT_MS,
            1.0,
            at_most=True,
        ),
    ]


async def _one() -> tuple[float, float, float]:
    """CPU seconds, the longest wait in milliseconds, and the growth of the process in MiB."""
    with tempfile.TemporaryDirectory() as home:
        database = await open_database(f"sqlite:///{Path(home) / 'delivery.db'}")
        await upgrade(database, "delivery")
        clock = FakeClock(NOON)
        here = Replica(database, clock)
        here.configure(DAILY)
        for start in range(0, EVENTS, BATCH):
            await here.accept(*(entry(number) for number in range(start, start + BATCH)))
        clock.pass_time(days=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        watch = asyncio.create_task(_longest_wait())
        await here.scheduler.tick()
        seconds = time.process_time() - began
        watch.cancel()
        longest = await watch
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if await here.states() != {State.DIGESTED: EVENTS}:
            raise AssertionError("the digest is not of all events")
        await database.close()
        return seconds, longest * 1000, grown / 1024


async def _longest_wait() -> float:
    """The most that others worked in the loop's thread between two turns of this one, in seconds of
    CPU, until it is cancelled: other programs of the machine do not count, nor does its disk."""
    longest = 0.0
    try:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
    except asyncio.CancelledError:
        return longest
