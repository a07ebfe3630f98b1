"""Random sequences of events against deduplication: does it ever hide a change of state?

    python -m tests.system.dedup_sequences --sequences 100000 --seed 1
    python -m tests.system.dedup_sequences --sequences 3000 --on sqlite

Failures, all-clears, warnings and neutral events on a few resources, in batches, at random
moments; what was told dies, the window is changed and switched off and on, the Router restarts. A
judge that shares no code with the Router says what had to be told. The exit code is 1, and the
sequence is printed, where a change was hidden or something was told for no reason.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from tests.support.dedup import STARTING_LENGTH, VARIANT, Deduplicating, InMemory, Judge

START = datetime(2026, 5, 21, 2, 0, tzinfo=UTC)
KINDS: Sequence[tuple[str, Severity]] = (
    ("backup.failed", Severity.ERROR),
    ("backup.failed", Severity.ERROR),
    ("backup.failed", Severity.CRITICAL),
    ("backup.completed", Severity.INFO),
    ("backup.warning", Severity.WARNING),
    ("backup.started", Severity.INFO),
    ("backup.started", Severity.INFO),
    ("system.service-stopped", Severity.NOTICE),
    ("system.service-started", Severity.INFO),
    ("datastore.status-change", Severity.WARNING),
    ("datastore.status-change", Severity.CRITICAL),
)
PAUSES = (0.0, 0.001, 1.0, 30.0, 59.999, 60.0, 150.0, 299.999, 300.0, 301.0, 3600.0)
LENGTHS = (timedelta(0), timedelta(minutes=1), timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Emit:
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Die:
    """One of the living ones, the newest for 0 and the oldest for almost 1."""

    pick: float


@dataclass(frozen=True, slots=True)
class SetLength:
    length: timedelta


@dataclass(frozen=True, slots=True)
class Restart:
    pass


Step = Emit | Wait | Die | SetLength | Restart


@dataclass(slots=True)
class Tally:
    """How often what happened; every one of these must happen for a run to mean anything."""

    counts: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        """For people."""
        return (f"{name:<12} {count:,}" for name, count in sorted(self.counts.items()))


def sequence(chance: random.Random, name: str) -> list[Step]:
    """Steps that share no subject, key or event id with those of another ``name``."""
    resources = [f"ibs-{name}:vm/{index}" for index in range(chance.randint(1, 2))]
    kinds = chance.sample(KINDS, chance.randint(2, 5))
    steps: list[Step] = []
    now, count = START, 0
    for _ in range(chance.randint(4, 24)):
        die = chance.random()
        if die < 0.62:
            size = 1 if chance.random() < 0.8 else chance.randint(2, 4)
            events = []
            for _ in range(size):
                count += 1
                events.append(_event(chance, name, count, chance.choice(kinds), resources, now))
            steps.append(Emit(events))
        elif die < 0.84:
            seconds = chance.choice(PAUSES)
            now += timedelta(seconds=seconds)
            steps.append(Wait(seconds))
        elif die < 0.92:
            steps.append(Die(chance.random() ** 2))
        elif die < 0.97:
            steps.append(SetLength(chance.choice(LENGTHS)))
        else:
            steps.append(Restart())
    return steps


def _event(
    chance: random.Random,
    name: str,
    count: int,
    kind: tuple[str, Severity],
    resources: Sequence[str],
    now: datetime,
) -> Event:
    event_type, severity = kind
    resource = chance.choice(resources)
    variant = chance.choice(("refused", "refused", "disk full"))
    # Only where there is a resource are two moments the same.
    at = f" at {now:%Y-%m-%dT%H:%M:%S}Z after {count} s"
    if chance.random() < 0.1:
        event_type, resource, at = f"{name}.{event_type.partition('.')[2]}", "", ""
    keys = ("", "", "", "", "", f"{name} any", f"{name} {resource}")
    return Event(
        event_id=f"{name}-{count}",
        type=event_type,
        severity=severity,
        timestamp=now,
        subject=f"{event_type} for {resource}",
        summary=f"the task ended{at}: {variant}",
        resource=resource,
        canonical_resource=canonical(resource),
        labels={VARIANT: variant},
        dedup_key=chance.choice(keys),
    )


async def play(subject: Deduplicating, steps: Sequence[Step], tally: Tally) -> None:
    """``HiddenChange`` or ``Noise`` at the first answer that breaks the promise."""
    judge, now = Judge(), START
    await subject.set_length(STARTING_LENGTH)
    for step in steps:
        tally.counts[type(step).__name__] += 1
        match step:
            case Emit(events):
                answers = await subject.emit(events, now)
                for event, of_event in zip(events, answers, strict=True):
                    judge.accept(event, of_event, now)
                    for answer in of_event.values():
                        tally.counts["told" if answer.told else "suppressed"] += 1
            case Wait(seconds):
                now += timedelta(seconds=seconds)
            case Die(pick):
                alive = judge.alive()
                if alive:
                    subscription, obligation = alive[-1 - int(pick * len(alive))]
                    await subject.die(subscription, obligation)
                    judge.die(subscription, obligation)
            case SetLength(length):
                await subject.set_length(length)
                judge.set_length(length)
            case Restart():
                await subject.restart()


async def run(
    make: Callable[[], Deduplicating], sequences: int, seed: int, tally: Tally
) -> Sequence[str]:
    """Play so many sequences; the account of the first that fails.

    ``make`` may give the same subject each time: no sequence meets what another left behind.
    """
    for index in range(sequences):
        steps = sequence(random.Random(f"{seed}/{index}"), f"s{index}")
        try:
            await play(make(), steps, tally)
        except AssertionError as error:
            return [f"sequence {index} of seed {seed}: {error!r}", *(f"  {each}" for each in steps)]
    return []


async def _run_on(kind: str, sequences: int, seed: int, tally: Tally) -> Sequence[str]:
    if kind == "memory":
        return await run(InMemory, sequences, seed, tally)
    from tests.support.dedup_tables import OnTables  # noqa: PLC0415  # only where they are used

    with tempfile.TemporaryDirectory(prefix="dedup-") as name, ExitStack() as stack:
        url = f"sqlite:///{name}/router.db"
        if kind == "postgresql":
            from tests.support.postgres import PostgresServer  # noqa: PLC0415

            server = PostgresServer.start(Path(name) / "data", syncs=False)
            stack.callback(server.stop)
            url = server.url("postgres")
        subject = await OnTables.open(url)
        try:
            return await run(lambda: subject, sequences, seed, tally)
        finally:
            await subject.close()


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", choices=("memory", "sqlite", "postgresql"), default="memory")
    given = parser.parse_args()
    tally, began = Tally(), time.monotonic()
    failure = asyncio.run(_run_on(given.on, given.sequences, given.seed, tally))
    for line in (*tally.lines(), *failure):
        print(line)
    verdict = "FAILED" if failure else "no hidden change of state, no needless notification"
    print(f"{given.sequences:,} sequences in {time.monotonic() - began:.1f} s: {verdict}")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
