"""Kill the services in every way while producers run, then prove that nothing is lost.

    python -m tests.system.chaos --seconds 120 --seed 7 --database sqlite

First each service, and all three, are killed at random moments; then each dies at each of its named
points, several times. At the end the queues are drained and the checker judges. The exit code is 1
where an acknowledged event is lost or the ledger does not balance.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import config_service_pb2, router_service_pb2
from tests.system.checker import History, ProducerLog, Verdict, check, read_receipts
from tests.system.installation import CALL_SECONDS, UNSENT, Installation, running_installation
from tests.system.producers import EDITED, Producer, running_producer
from tests.system.sinks import Faults, Sink, running_sink

FAILPOINTS: Mapping[ServiceName, Sequence[str]] = {
    "router": (
        "router.after_insert",
        "router.before_commit",
        "router.after_commit",
        "router.before_handoff",
        "router.after_handoff",
    ),
    "delivery": (
        "delivery.after_accept_insert",
        "delivery.after_accept_commit",
        "delivery.after_claim",
        "delivery.after_send",
        "delivery.after_mark",
    ),
}
VICTIMS: Sequence[tuple[ServiceName, ...]] = (("config",), ("router",), ("delivery",), SERVICES)
SINK_FAULTS = Faults(delay=0.3, fail=0.02, hang_up=0.01)
SHORTEST_LIFE_SECONDS = 0.01
LONGEST_LIFE_SECONDS = 1.5
KILL_AGAIN = 0.2
"""How often a service is killed once more while it starts."""
HIT_SECONDS = 45.0
DRAIN_SECONDS = 600.0
SHOWN = 10
IN_FLIGHT = 2 * (16 + 4)
"""How many messages Delivery sends at a time to the webhook and to the mail server, and as many
outcomes that were not written down yet."""


@dataclass(frozen=True, slots=True)
class Report:
    """``kept_configuration`` says whether every acknowledged change of a target is still there.

    ``most_duplicates`` is what the deaths of Delivery can explain: what was in flight at each.
    """

    verdict: Verdict
    ledger: router_service_pb2.VerifyLedgerResponse
    faults: Mapping[str, int]
    missed: Sequence[str]
    kept_configuration: bool
    most_duplicates: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether nothing is lost, the books balance and every planned fault happened."""
        return (
            self.verdict.sound
            and self.ledger.balanced
            and self.kept_configuration
            and len(self.verdict.duplicated) - self.verdict.unanswered <= self.most_duplicates
            and not self.missed
        )

    def lines(self) -> Iterator[str]:
        """For people."""
        verdict, ledger = self.verdict, self.ledger
        for name, count in sorted(self.faults.items()):
            yield f"fault       {name}: {count}"
        yield f"missed      {', '.join(self.missed) or 'none'}"
        yield f"attempted   {verdict.attempted}"
        yield f"acked       {verdict.acked}"
        yield f"received    {verdict.received} (event x sink)"
        yield f"recovered   {verdict.recovered}"
        yield (
            f"duplicated  {len(verdict.duplicated)}, same id"
            f" ({verdict.unanswered} after the sink itself hung up; in flight when Delivery died:"
            f" at most {self.most_duplicates})"
        )
        for name in ("lost", "renamed", "unexpected", "not_in_inbox", "refused"):
            ids: tuple[str, ...] = getattr(verdict, name)
            yield f"{name:<12} {len(ids)} {'; '.join(ids[:SHOWN])}".rstrip()
        yield f"config      {'kept' if self.kept_configuration else 'an acked change is LOST'}"
        yield (
            f"ledger      {'balanced' if ledger.balanced else 'UNBALANCED'}:"
            f" accepted {ledger.accepted_events} = routed {ledger.routed_events}"
            f" + unmatched {ledger.unmatched_events}, unaccounted {ledger.unaccounted_count}"
            f" {'; '.join(ledger.unaccounted_ids[:SHOWN])}".rstrip()
        )
        for line in ledger.lines:
            yield f"            {line.service} {line.state}: {line.count}"
        yield f"took        {self.seconds:.1f} s"


@dataclass(slots=True)
class Rig:
    """An installation with sinks and a producer, and the faults that were injected into it."""

    installation: Installation
    sinks: Sequence[Sink]
    producer: Producer
    chance: random.Random
    faults: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def kill_at_random(self, seconds: float) -> None:
        """Kill each service, and all three, at random moments for ``seconds``."""
        until = time.monotonic() + seconds
        order: list[tuple[ServiceName, ...]] = []
        while time.monotonic() < until:
            if not order:
                order = self.chance.sample(VICTIMS, len(VICTIMS))
            time.sleep(self.chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
            self._kill_and_restart(order.pop())

    def _kill_and_restart(self, names: tuple[ServiceName, ...]) -> None:
        self.installation.kill(*names)
        self.faults[f"kill {'+'.join(names)}"] += 1
        self.installation.start(*names)
        while self.chance.random() < KILL_AGAIN:
            time.sleep(self.chance.uniform(0, LONGEST_LIFE_SECONDS))
            self.installation.kill(*names)
            self.faults[f"kill {'+'.join(names)} while it starts"] += 1
            self.installation.start(*names)
        for name in names:
            self.installation.wait_until_serving(name)

    def hit_failpoints(self, service: ServiceName, points: Sequence[str], most: int) -> None:
        """Let ``service`` kill itself at each of ``points``, one after the other.

        It dies when it comes by for the n-th time, n random up to ``most``; the next start has the
        next point, so that what one death left is taken up on the way to another.
        """
        installation = self.installation
        installation.kill(service)
        for point in points:
            failpoint = f"{point}@{self.chance.randint(1, most)}"
            installation.start(service, failpoint=failpoint)
            try:
                installation.wait_for_death(service, HIT_SECONDS)
                self.faults[f"at {point}"] += 1
            except subprocess.TimeoutExpired:
                self.missed.append(failpoint)
                installation.kill(service)
        installation.start_and_wait(service)

    def finish(self, seconds: float = DRAIN_SECONDS) -> Report:
        """Stop the producer, heal the sinks, drain, and judge."""
        self.producer.stop()
        for sink in self.sinks:
            sink.heal()
        self.installation.drain(seconds)
        ledger = self.installation.ledger()
        log = ProducerLog()
        log.read(self.producer.log)
        return Report(
            check(self._history(log)),
            ledger,
            self.faults,
            self.missed,
            self._configured() >= log.configured,
            self.installation.services["delivery"].deaths * IN_FLIGHT,
            time.monotonic() - self.began,
        )

    def _history(self, log: ProducerLog) -> History:
        installation = self.installation
        return History(
            attempted=log.attempted,
            acked=frozenset(log.acked),
            receipts=[receipt for sink in self.sinks for receipt in read_receipts(sink.log)],
            inbox=frozenset(record.event.event_id for record in installation.inbox()),
            visible=frozenset(
                (each.target, each.event_id) for each in installation.deliveries(UNSENT)
            ),
            refused=tuple(log.refused),
        )

    def _configured(self) -> int:
        request = config_service_pb2.GetTargetRequest(name=EDITED)
        target = self.installation.config.GetTarget(request, timeout=CALL_SECONDS).target
        return int(target.description or 0)


@contextmanager
def running_rig(
    directory: Path,
    seed: int,
    rate: int,
    databases: Mapping[ServiceName, str] | None = None,
    faults: Faults = SINK_FAULTS,
) -> Iterator[Rig]:
    """Two sinks, an installation that tells them, and a producer that has begun."""
    with ExitStack() as stack:
        chat = stack.enter_context(running_sink("webhook", "chat", directory, faults, seed))
        mail = stack.enter_context(running_sink("mail", "mail", directory, faults, seed + 1))
        installation = stack.enter_context(running_installation(directory / "home", databases))
        installation.create_webhook("chat", f"http://127.0.0.1:{chat.port}/")
        installation.create_mail("mail", mail.port, "ops@example.com")
        installation.create_webhook(EDITED, f"http://127.0.0.1:{chat.port}/never")
        installation.create_group(
            "ops", {"chat": "severity >= error", "mail": "severity = critical"}
        )
        router, config = (installation.services[name].address for name in ("router", "config"))
        producer = stack.enter_context(
            running_producer(router, config, directory, name=f"s{seed}", rate=rate, seed=seed)
        )
        yield Rig(installation, (chat, mail), producer, random.Random(seed))


def run(given: argparse.Namespace, directory: Path, databases: Mapping[ServiceName, str]) -> int:
    """The run that the command line asks for; the exit code."""
    with running_rig(directory, given.seed, given.rate, databases) as rig:
        rig.kill_at_random(given.seconds)
        for _ in range(given.hits):
            for service, points in FAILPOINTS.items():
                rig.hit_failpoints(service, points, given.largest_count)
        report = rig.finish()
    print(f"seed        {given.seed}")
    print(f"database    {given.database}")
    for line in report.lines():
        print(line)
    print("SOUND" if report.sound else "NOT SOUND")
    return 0 if report.sound else 1


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="of random kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rate", type=int, default=400, help="events a second, in bursts; 0: full")
    parser.add_argument("--hits", type=int, default=3, help="of each failpoint")
    parser.add_argument("--largest-count", type=int, default=40, help="passes before a hit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name, ExitStack() as stack:
        directory = Path(name)
        databases: dict[ServiceName, str] = {}
        if given.database == "postgresql":
            databases = stack.enter_context(postgresql(directory / "postgresql"))
        return run(given, directory, databases)


@contextmanager
def postgresql(directory: Path) -> Iterator[dict[ServiceName, str]]:
    """A database for each service, on a server of this run's own."""
    from tests.support.postgres import PostgresServer  # noqa: PLC0415  # only where it is used

    server = PostgresServer.start(directory)
    try:
        for name in SERVICES:
            server.execute(f"CREATE DATABASE chaos_{name}")
        yield {name: server.url(f"chaos_{name}") for name in SERVICES}
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
