"""Two Routers and two Deliveries on one PostgreSQL: one of each is killed, and nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import grpc
import pytest

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import (
    delivery_pb2,
    delivery_service_pb2,
    event_pb2,
    router_service_pb2,
)
from tests.system.checker import History, check, read_receipts
from tests.system.installation import CALL_SECONDS, UNSENT, Installation, free_port, until
from tests.system.producers import AGAIN
from tests.system.sinks import Faults, Sink, running_sink

pytestmark = [pytest.mark.system, pytest.mark.slow]

WORKERS = 4
BATCH = 10
PAUSE_SECONDS = 0.2
"""Between two batches of a worker: more events than the slow sink takes, fewer than the healed."""
TAKE_OVER_SECONDS = 30.0
IN_FLIGHT = 16
"""How many messages a Delivery sends at a time to a webhook."""
SINK = "chat"


@dataclass(frozen=True, slots=True)
class Replicas:
    """``first`` has the only Config. What ``second`` calls its Config is that one."""

    first: Installation
    second: Installation

    def start_and_wait(self) -> None:
        """All at once: both Routers and both Deliveries find an empty database."""
        self.first.start()
        self.second.start("router", "delivery")
        self.first.wait_until_serving("config")
        for each in (self.first, self.second):
            each.wait_until_serving("router")
            each.wait_until_serving("delivery")

    def tell(self, sink: Sink) -> None:
        """Let every event go to ``sink``, whichever Router takes it."""
        self.first.create_webhook(sink.name, f"http://127.0.0.1:{sink.port}/")
        made = self.first.create_group("ops", {sink.name: "*"})
        self.second.await_config(made.revision)


@pytest.fixture
def replicas(tmp_path: Path, postgres_url: str) -> Iterator[Replicas]:
    """Nothing runs yet. Each has a home of its own, as on two machines, and the same key."""
    databases: dict[ServiceName, str] = dict.fromkeys(SERVICES, postgres_url)
    extra = {"IBS_NOTIFY_KEY_FILE": str(tmp_path / "secret.key")}
    with ExitStack() as stack:
        first = stack.enter_context(Installation(tmp_path / "first", databases, extra))
        ports = {name: free_port() for name in SERVICES}
        ports["config"] = int(first.services["config"].address.rpartition(":")[2])
        second = stack.enter_context(Installation(tmp_path / "second", databases, extra, ports))
        yield Replicas(first, second)


@dataclass(slots=True)
class Producers:
    """Emit until stopped; of every three batches one goes to both Routers at once.

    A batch is repeated with the same ids until it is taken. ``attempted`` and ``acked`` are ids.
    """

    replicas: Replicas
    attempted: set[str] = field(default_factory=set)
    acked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """When the block ends, every batch under way has its answers."""
        with ThreadPoolExecutor(WORKERS * 3) as pool:
            workers = [pool.submit(self._work, pool) for _ in range(WORKERS)]
            try:
                yield
            finally:
                self._stop.set()
            for worker in workers:
                worker.result()

    def _work(self, pool: ThreadPoolExecutor) -> None:
        routers = (self.replicas.first, self.replicas.second)
        while not self._stop.wait(PAUSE_SECONDS):
            number = next(self._numbers)
            ids = [f"b{number:05d}-{each}" for each in range(BATCH)]
            self.attempted.update(ids)
            chosen = routers if number % 3 == 0 else (routers[number % 2],)
            for answer in [pool.submit(self._emit, each, ids) for each in chosen]:
                answer.result()

    def _emit(self, router: Installation, ids: list[str]) -> None:
        events = [event_pb2.Event(event_id=each, type="backup.failed") for each in ids]
        request = router_service_pb2.EmitBatchRequest(events=events)

        def taken() -> bool:
            try:
                answer = router.router.EmitBatch(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if error.code() in AGAIN:
                    return False
                raise
            for event_id, result in zip(ids, answer.results, strict=True):
                if result.HasField("accepted"):
                    self.acked.add(event_id)
                else:
                    self.refused.append(f"{event_id} {result.error.message}")
            return True

        until(taken, "a batch is taken", seconds=60)


def leased(installation: Installation) -> set[str]:
    """The ids of what is being sent, by whichever Delivery."""
    states = [delivery_pb2.DELIVERY_STATE_LEASED]
    return {each.delivery_id for each in installation.deliveries(states)}


def died_in_hand(installation: Installation, delivery_id: str) -> bool:
    """Whether a worker died with the delivery in hand."""
    answer = installation.delivery.GetDelivery(
        delivery_service_pb2.GetDeliveryRequest(delivery_id=delivery_id), timeout=CALL_SECONDS
    )
    return any(attempt.reason == "WORKER_DIED" for attempt in answer.delivery.attempts)


def test_what_a_killed_router_and_delivery_had_in_hand_is_taken_over_and_nothing_is_lost(
    tmp_path: Path, replicas: Replicas
) -> None:
    replicas.start_and_wait()
    producers = Producers(replicas)
    with running_sink("webhook", SINK, tmp_path, Faults(delay=0.6)) as sink:
        replicas.tell(sink)
        with producers.running():
            until(
                lambda: len(leased(replicas.second)) > 1.5 * IN_FLIGHT, "both Deliveries are busy"
            )
            replicas.first.kill("router", "delivery")
            killed_at, in_hand = time.monotonic(), leased(replicas.second)
            sink.heal()
            until(
                lambda: not in_hand & leased(replicas.second), "it is taken over", TAKE_OVER_SECONDS
            )
            took_over = time.monotonic() - killed_at
            replicas.first.start_and_wait("router", "delivery")
        replicas.first.drain(seconds=20)
        ledger = replicas.second.ledger()
        verdict = check(
            History(
                attempted={each: frozenset({SINK}) for each in producers.attempted},
                acked=frozenset(producers.acked),
                receipts=read_receipts(sink.log),
                inbox=frozenset(record.event.event_id for record in replicas.second.inbox()),
                visible=frozenset(
                    (each.target, each.event_id) for each in replicas.second.deliveries(UNSENT)
                ),
                refused=tuple(producers.refused),
            )
        )
    assert verdict.sound, verdict
    assert verdict.acked == verdict.attempted
    assert ledger.balanced
    assert ledger.accepted_events == verdict.attempted
    taken_over = {each for each in in_hand if died_in_hand(replicas.second, each)}
    # As many outcomes may not have been written down yet.
    assert 0 < len(taken_over) <= 2 * IN_FLIGHT
    assert took_over <= TAKE_OVER_SECONDS
    assert {each.rpartition(" ")[2] for each in verdict.duplicated} <= taken_over
    assert len(verdict.duplicated) <= len(taken_over)
