"""Cut the power at any moment of a recorded run, and look for what was acknowledged.

    python -m tests.system.power_cut --cuts 10000 --seed 7

Router and Delivery run below strace while a producer emits. Then, for many moments and for every
fate of what was not synced by then, the database's files are rebuilt as a disk would have them
when the power is back, and opened. Whatever the service had answered before the cut must be there.
The exit code is 1 where something is lost or a database is damaged.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import assert_never

import sqlalchemy as sa

from ibs_notify.delivery.tables import DELIVERIES
from ibs_notify.router.books import read_books
from ibs_notify.router.tables import EVENTS
from ibs_notify.settings import ServiceName
from tests.system.checker import ProducerLog
from tests.system.disk import Disk, Fate
from tests.system.installation import Installation, until
from tests.system.producers import EDITED, running_producer
from tests.system.recording import DATABASE, Answered, Changed, Recorded, Step, Synced
from tests.system.sinks import running_sink

RECORDED: Sequence[ServiceName] = ("router", "delivery")
EVENT_IDS = re.compile(rb"cut-\d{7}")
OBLIGATION_IDS = re.compile(rb"cut-\d{7}/\d+")
RUN_SECONDS = 120.0
SHOWN = 5

Missing = Callable[[sa.Connection, frozenset[str]], Collection[str]]
"""Which of the acknowledged names a database does not have, or not wholly."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one service did in one run; ``missing`` is asked of a database that has ``table``."""

    service: ServiceName
    steps: Sequence[Step]
    table: sa.Table
    missing: Missing


@dataclass(slots=True)
class Report:
    """``lost`` and ``damaged`` are sentences, one for each cut that did harm.

    ``checkpoints`` are those between answers; ``looked_for`` counts a name again after each cut.
    """

    service: ServiceName
    recordings: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    cuts: Counter[Fate] = field(default_factory=Counter)
    checkpoints: int = 0
    acknowledged: int = 0
    looked_for: int = 0
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.lost and not self.damaged and self.acknowledged > 0

    def lines(self) -> Iterator[str]:
        """For people."""
        steps = ", ".join(f"{count} {name}" for name, count in sorted(self.steps.items()))
        yield f"{self.service}"
        yield f"  recordings    {self.recordings}: {steps}, {self.checkpoints} checkpoints"
        fates = ", ".join(f"{fate.value} {count}" for fate, count in sorted(self.cuts.items()))
        yield f"  cuts          {self.cuts.total()}; what was not synced: {fates}"
        yield f"  acknowledged  {self.acknowledged}; looked for after cuts: {self.looked_for}"
        for name, found in (("lost", self.lost), ("damaged", self.damaged)):
            yield f"  {name:<12}  {len(found)} {'; '.join(found[:SHOWN])}".rstrip()


def record(
    directory: Path, *, events: int, seed: int, careless: bool = False
) -> tuple[Recording, ...]:
    """Let a producer emit until enough is acknowledged, then stop them."""
    with ExitStack() as stack:
        chat = stack.enter_context(running_sink("webhook", "chat", directory))
        mail = stack.enter_context(running_sink("mail", "mail", directory))
        installation = stack.enter_context(
            Recorded(directory / "home", RECORDED, careless=careless)
        )
        installation.start_and_wait()
        installation.create_webhook("chat", f"http://127.0.0.1:{chat.port}/")
        installation.create_mail("mail", mail.port, "ops@example.com")
        installation.create_webhook(EDITED, f"http://127.0.0.1:{chat.port}/never")
        installation.create_group(
            "ops", {"chat": "severity >= error", "mail": "severity = critical"}
        )
        log = _emit(installation, directory, events, seed)
        installation.stop("delivery", "router")
        router, delivery = (
            Recording("router", installation.steps("router", EVENT_IDS), EVENTS, _Events(log)),
            Recording(
                "delivery",
                installation.steps("delivery", OBLIGATION_IDS),
                DELIVERIES,
                _missing_deliveries,
            ),
        )
    blind = log.acked - _answered(router)
    assert not blind, f"the trace does not show the answers to {sorted(blind)[:SHOWN]}"
    return router, delivery


def _emit(installation: Installation, directory: Path, events: int, seed: int) -> ProducerLog:
    """At least ``events``, and until each write-ahead log was brought into its database."""
    router, config = (installation.services[name].address for name in ("router", "config"))
    databases = [installation.home / f"{name}.db" for name in RECORDED]
    sizes = [each.stat().st_size for each in databases]

    def read() -> ProducerLog:
        log = ProducerLog()
        log.read(producer.log)
        return log

    def enough() -> bool:
        grown = all(each.stat().st_size > size for each, size in zip(databases, sizes, strict=True))
        return grown and len(read().acked) >= events

    with running_producer(router, config, directory, name="cut", rate=0, seed=seed) as producer:
        until(enough, "enough events are taken", RUN_SECONDS)
        producer.stop()
    return read()


def _answered(recording: Recording) -> frozenset[str]:
    answers = (each.names for each in recording.steps if isinstance(each, Answered))
    return frozenset().union(*answers)


class _Events:
    """An event is whole where each of the targets that must hear of it has its obligation."""

    def __init__(self, log: ProducerLog) -> None:
        self._obligations = {name: len(sinks) for name, sinks in log.attempted.items()}

    def __call__(self, connection: sa.Connection, acked: frozenset[str]) -> Collection[str]:
        rows = connection.execute(sa.select(EVENTS.c.event_id, EVENTS.c.opened))
        opened = {row.event_id: row.opened for row in rows}
        missing = {each for each in acked if opened.get(each) != self._obligations[each]}
        # Those that have fewer obligations than they say.
        return missing.union(read_books(connection).events_astray)


def _missing_deliveries(connection: sa.Connection, acked: frozenset[str]) -> Collection[str]:
    return acked.difference(connection.execute(sa.select(DELIVERIES.c.obligation_id)).scalars())


def replay(recording: Recording, report: Report, *, cuts: int, seed: int) -> None:
    """Cut the power ``cuts`` times, as often as there are different cuts at most."""
    chance = random.Random(seed)
    chosen: dict[int, list[Fate]] = {}
    for place, fate in _choose(recording.steps, cuts, chance):
        chosen.setdefault(place, []).append(fate)
    report.recordings += 1
    report.steps.update(type(each).__name__.lower() for each in recording.steps)
    report.checkpoints += _checkpoints(recording.steps)
    report.acknowledged += len(_answered(recording))
    disk, acked = Disk(), frozenset[str]()
    for place, step in enumerate(recording.steps):
        if isinstance(step, Answered):
            acked |= step.names
        else:
            _tell(disk, step)
        for fate in chosen.get(place, ()):
            report.cuts[fate] += 1
            report.looked_for += len(acked)
            where = f"after step {place}, {fate}"
            _judge(disk.after_cut(fate, chance), recording, acked, report, where)


def _checkpoints(steps: Sequence[Step]) -> int:
    answers = [place for place, step in enumerate(steps) if isinstance(step, Answered)]
    between = steps[answers[0] : answers[-1]]
    return sum(isinstance(step, Synced) and step.file == DATABASE for step in between)


def _tell(disk: Disk, step: Changed | Synced) -> bool:
    """Whether what is safe has changed."""
    match step:
        case Changed():
            disk.change(step.change, step.ended)
            return False
        case Synced():
            return disk.sync(step.file, step.begun)
        case _:
            assert_never(step)


def _choose(steps: Sequence[Step], cuts: int, chance: random.Random) -> Sequence[tuple[int, Fate]]:
    """Moments and fates by chance, every fate alike; none that would give the files of another."""
    disk = Disk()
    cases: dict[Fate, list[tuple[int, Fate]]] = {fate: [] for fate in Fate}
    for place, step in enumerate(steps):
        if isinstance(step, Answered) or _tell(disk, step):
            cases[Fate.LOST].append((place, Fate.LOST))
        if disk.has_unsynced:
            for fate in (Fate.FIRST_KEPT, Fate.ANY_KEPT, Fate.TORN):
                cases[fate].append((place, fate))
    for each in cases.values():
        chance.shuffle(each)
    rounds = zip_longest(*cases.values())
    return [case for each in rounds for case in each if case is not None][:cuts]


def _judge(
    files: Mapping[str, bytes],
    recording: Recording,
    acked: frozenset[str],
    report: Report,
    where: str,
) -> None:
    """Open the files as they are after a cut."""
    with tempfile.TemporaryDirectory(prefix="cut-") as name:
        for path, data in files.items():
            (Path(name) / Path(path).name).write_bytes(data)
        engine = sa.create_engine(f"sqlite:///{name}/{recording.service}.db")
        try:
            with closing(engine.connect()) as connection:
                # Nothing is kept of this; it spares the disk when the file is closed.
                connection.exec_driver_sql("PRAGMA synchronous=OFF")
                verdict = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
                if verdict != "ok":
                    report.damaged.append(f"{where}: {verdict}")
                elif missing := _missing(connection, recording, acked):
                    report.lost.append(f"{where}: {len(missing)} of {len(acked)}")
        except sa.exc.DatabaseError as error:
            report.damaged.append(f"{where}: {error.orig}")
        finally:
            engine.dispose()


def _missing(
    connection: sa.Connection, recording: Recording, acked: frozenset[str]
) -> Collection[str]:
    if not acked:
        return ()
    if not sa.inspect(connection).has_table(recording.table.name):
        return acked
    return recording.missing(connection, acked)


def run(
    directory: Path, *, cuts: int, seed: int, events: int, per_run: int, careless: bool = False
) -> Sequence[Report]:
    """Record and replay until the power was cut ``cuts`` times under each service."""
    reports = {name: Report(name) for name in RECORDED}
    while any(each.cuts.total() < cuts for each in reports.values()):
        seed += 1
        with tempfile.TemporaryDirectory(dir=directory) as name:
            for recording in record(Path(name), events=events, seed=seed, careless=careless):
                report = reports[recording.service]
                most = min(per_run, cuts - report.cuts.total())
                replay(recording, report, cuts=most, seed=seed)
    return list(reports.values())


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=10_000, help="under each service")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=1000, help="of a recording at least")
    parser.add_argument("--per-run", type=int, default=1000, help="cuts of each recording")
    parser.add_argument("--careless", action="store_true", help="let the services answer too early")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="power-cut-") as name:
        reports = run(
            Path(name),
            cuts=given.cuts,
            seed=given.seed,
            events=given.events,
            per_run=given.per_run,
            careless=given.careless,
        )
    for line in (line for report in reports for line in report.lines()):
        print(line)
    sound = all(report.sound for report in reports)
    print("SOUND" if sound else "NOT SOUND")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
