"""A storm of 100 × the limit, with Routers killed all the while.

    python -m tests.system.storm --seconds 60 --database postgresql --seed 7

On PostgreSQL two Routers share the work. Two groups share a target, so that they coalesce; some
events repeat others, so that they are suppressed; the backlog goes over its bound, so that it is
collapsed. After the storm the limit is lifted, everything is drained, and the checks judge. The
exit code is 1 where a minute holds more than the limit, something is lost, told twice or late.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import State
from ibs_notify.settings import ServiceName
from ironcore.notification.v1 import config_service_pb2
from tests.bench.processes import resident_mib
from tests.system import storm_checker as checks
from tests.system.chaos import postgresql
from tests.system.checker import read_receipts
from tests.system.installation import CALL_SECONDS, Installation, free_port
from tests.system.sinks import Sink, running_sink
from tests.system.storm_books import Books, Obligation, read_storm
from tests.system.storm_events import Emitter

OPS, ON_CALL = "ops", "on-call"
DEDUP_SECONDS = 300
SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 1.0, 8.0
WARM_UP_SECONDS = 5.0
SAMPLE_SECONDS = 0.2
DRAIN_SECONDS = 240.0
MOST_GROWTH_MIB = 24.0
"""Of a Router's memory in the storm: SQLite's page cache, of 16 MB, fills with the first events."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """``seconds`` of storm and ``calm`` seconds without; ``limit`` in events a minute of ``OPS``.

    ``rate`` in events a second. ``kills`` says whether Routers are killed.
    """

    seconds: float
    calm: float = 0.0
    seed: int = 1
    limit: int = 60
    rate: int = 100
    kills: bool = True

    @property
    def limits(self) -> Mapping[str, int]:
        """Of both groups."""
        return {OPS: self.limit, ON_CALL: self.limit // 2}


@dataclass(slots=True)
class Memory:
    """Resident MiB of each Router process over its life, from ``WARM_UP_SECONDS`` on."""

    samples: dict[int, list[float]] = field(default_factory=dict)
    born: dict[int, float] = field(default_factory=dict)

    def sample(self, pid: int) -> None:
        now = time.monotonic()
        if now - self.born.setdefault(pid, now) >= WARM_UP_SECONDS:
            try:
                self.samples.setdefault(pid, []).append(resident_mib(pid))
            except (FileNotFoundError, ProcessLookupError):
                return

    @property
    def peak(self) -> float:
        return max((max(each) for each in self.samples.values()), default=0.0)

    @property
    def growth(self) -> float:
        """The most that any process grew after its warm-up."""
        return max((max(each) - each[0] for each in self.samples.values()), default=0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """``figures`` are what happened; each of ``faults`` is a check with what broke it.

    ``states`` count the obligations at the end.
    """

    figures: Mapping[str, str]
    states: Mapping[State, int]
    faults: Mapping[str, Sequence[str]]
    balanced: bool

    @property
    def sound(self) -> bool:
        return self.balanced and not any(self.faults.values())

    def lines(self) -> Iterator[str]:
        """For people."""
        width = max(map(len, (*self.figures, *self.faults))) + 2
        for name, figure in self.figures.items():
            yield f"{name:<{width}}{figure}"
        for name, found in self.faults.items():
            yield f"{name:<{width}}{len(found)} {'; '.join(found[:SHOWN])}".rstrip()


@dataclass(slots=True)
class Rig:
    """An installation, its Routers, what it tells, and what happens to it."""

    plan: Plan
    first: Installation
    routers: Sequence[Installation]
    sinks: Sequence[Sink]
    database: str
    emitter: Emitter
    memory: Memory = field(default_factory=Memory)
    deaths: int = 0
    growth: float = 0.0
    """Of a Router's memory in the storm, in MiB."""

    def blow(self) -> Report:
        """The storm, the calm, the drain and the verdict."""
        chance = random.Random(self.plan.seed)
        with self._watching():
            with self.emitter.running():
                self._kill_for(self.plan.seconds, chance)
            self._kill_for(self.plan.calm, chance)
            lifted_at = time.time_ns() // 1000
            self.growth = self.memory.growth
            before = read_storm(self.database)
            for group in self.plan.limits:
                self._lift_limit(group)
            self.first.drain(DRAIN_SECONDS)
        return self._judge(before, read_storm(self.database), lifted_at)

    def _kill_for(self, seconds: float, chance: random.Random) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            life = chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS)
            time.sleep(max(min(life, until - time.monotonic()), 0))
            if self.plan.kills:
                victim = chance.choice(self.routers)
                victim.kill("router")
                self.deaths += 1
                victim.start_and_wait("router")

    @contextmanager
    def _watching(self) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SAMPLE_SECONDS):
                for router in self.routers:
                    process = router.services["router"].process
                    if process is not None and process.poll() is None:
                        self.memory.sample(process.pid)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _lift_limit(self, group: str) -> None:
        request = config_service_pb2.UpdateGroupRequest()
        request.group.name = group
        request.group.rate_limit_per_minute = 0
        request.update_mask.paths.append("rate_limit_per_minute")
        answer = self.first.config.UpdateGroup(request, timeout=CALL_SECONDS)
        self.routers[-1].await_config(answer.group.revision)

    def _judge(self, before: Books, books: Books, lifted_at: int) -> Report:
        """``before`` is how the books stood when the limit was lifted."""
        emitter, obligations = self.emitter, books.obligations
        ledger = self.first.ledger()
        receipts = [each for sink in self.sinks for each in read_receipts(sink.log)]
        expected = {each: routes_of(emitter.attempted[each]) for each in emitter.acked}
        faults = {
            "over the limit": checks.over_limit(obligations, self.plan.limits, lifted_at),
            "told late": checks.overtaken(obligations, emitter.acked),
            "critical collapsed": checks.critical_collapsed(books),
            "not routed": checks.not_routed(books, expected),
            "astray in the storm": checks.unaccounted(before.obligations, (), drained=False),
            "lost": checks.unaccounted(obligations, receipts, drained=True),
            "not as released": checks.not_as_released(obligations, receipts, drained=True),
            "told twice": checks.told_twice(receipts),
            "miscounted summaries": checks.miscounted(books),
            "refused": emitter.refused,
            "memory": [] if self.growth <= MOST_GROWTH_MIB else [f"grew by {self.growth:.1f} MiB"],
            "not in the ledger": list(ledger.unaccounted_ids),
        }
        states = Counter(each.state for each in obligations)
        figures = self._figures(before, books, lifted_at, states)
        figures["received"] = f"{len(receipts):,} (event x sink)"
        return Report(figures, states, faults, ledger.balanced)

    def _figures(
        self, before: Books, books: Books, lifted_at: int, states: Mapping[State, int]
    ) -> dict[str, str]:
        figures = {
            "seed": str(self.plan.seed),
            "routers": f"{len(self.routers)}, killed {self.deaths} times",
            "accepted": f"{len(self.emitter.acked):,} of {len(self.emitter.attempted):,} events",
            "waited at the end": f"{sum(map(_waits, before.obligations)):,} obligations",
            "obligations": ", ".join(f"{count:,} {state}" for state, count in states.items()),
            "summaries": str(sum(each.is_summary for each in books.obligations)),
            "router memory": f"grew by {self.growth:.1f} MiB in the storm, peak of all"
            f" {self.memory.peak:.0f}",
        }
        for group, limit in self.plan.limits.items():
            times = [at for at, _ in checks.releases(books.obligations, group) if at < lifted_at]
            figures[f"released by {group}"] = (
                f"{len(times):,}; in any minute at most {checks.most_in_a_minute(times)} of {limit}"
            )
        for severity in reversed(Severity):
            figures[f"{severity.label} waited"] = self._wait(books, severity, lifted_at)
        return figures

    def _wait(self, books: Books, severity: Severity, lifted_at: int) -> str:
        waits = sorted(
            (each.released_at - self.emitter.acked[each.event_id]) / 1e6
            for each in books.obligations
            if each.severity is severity
            and each.event_id in self.emitter.acked
            and each.released_at is not None
            and each.released_at < lifted_at
        )
        if not waits:
            return "none released"
        return f"median {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s of {len(waits)}"


def _waits(obligation: Obligation) -> bool:
    return obligation.state is State.READY and obligation.released_at is None


def routes_of(severity: Severity) -> list[checks.Route]:
    """What the groups below make of an event."""
    routes = [(OPS, "chat"), (OPS, "board")]
    if severity >= Severity.ERROR:
        routes += [(OPS, "pager"), (ON_CALL, "chat")]
    return routes


@contextmanager
def running_rig(
    directory: Path, plan: Plan, databases: Mapping[ServiceName, str] | None = None
) -> Iterator[Rig]:
    """Everything serves; on PostgreSQL with a second Router, which has a home of its own."""
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(running_sink("webhook", name, directory))
            for name in ("chat", "board", "pager")
        ]
        extra = {"IBS_NOTIFY_KEY_FILE": str(directory / "secret.key")}
        first = stack.enter_context(Installation(directory / "first", databases, extra))
        first.start_and_wait()
        routers = [first]
        if databases:
            ports = {
                name: int(service.address.rpartition(":")[2])
                for name, service in first.services.items()
            }
            ports["router"] = free_port()
            second = Installation(directory / "second", databases, extra, ports)
            routers.append(stack.enter_context(second))
            second.start_and_wait("router")
        for sink in sinks:
            first.create_webhook(sink.name, f"http://127.0.0.1:{sink.port}/")
        grave = "severity >= error"
        rules = {
            OPS: {"chat": "*", "board": "*", "pager": grave},
            ON_CALL: {"chat": grave},
        }
        for name, limit in plan.limits.items():
            made = first.create_group(name, rules[name], limit, DEDUP_SECONDS)
            routers[-1].await_config(made.revision)
        url = (databases or {}).get("router", f"sqlite:///{first.home / 'router.db'}")
        yield Rig(plan, first, routers, sinks, url, Emitter(routers, plan.rate, plan.seed))


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of storm")
    parser.add_argument("--calm", type=float, default=65.0, help="seconds after it, with kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--limit", type=int, default=60, help="events a minute")
    parser.add_argument("--rate", type=int, default=0, help="events a second; 0: 100 x the limit")
    parser.add_argument("--no-kills", action="store_true", help="to see the memory of a long life")
    given = parser.parse_args()
    rate = given.rate or given.limit * 100 // 60
    plan = Plan(given.seconds, given.calm, given.seed, given.limit, rate, not given.no_kills)
    with tempfile.TemporaryDirectory(prefix="storm-") as name, ExitStack() as stack:
        directory = Path(name)
        databases: dict[ServiceName, str] = {}
        if given.database == "postgresql":
            databases = stack.enter_context(postgresql(directory / "postgresql"))
        report = stack.enter_context(running_rig(directory, plan, databases)).blow()
    for line in report.lines():
        print(line)
    print("SOUND" if report.sound else "NOT SOUND")
    return 0 if report.sound else 1


if __name__ == "__main__":
    sys.exit(main())
