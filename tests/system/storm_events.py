"""What a storm is made of: events of every severity, some critical, and some that repeat others."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import grpc

from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2, router_service_pb2
from tests.system.installation import CALL_SECONDS, Installation
from tests.system.producers import AGAIN

SHARES: Mapping[Severity, float] = {
    Severity.INFO: 0.60,
    Severity.NOTICE: 0.15,
    Severity.WARNING: 0.15,
    Severity.ERROR: 0.095,
    Severity.CRITICAL: 0.005,
}
REPEATED = 0.1
"""The share of events that are identical to former ones."""
ALARMS = 20
"""How many there are to repeat."""
BATCHES_A_SECOND = 10
RETRY_PAUSE_SECONDS = 0.05
FINISH_SECONDS = 60.0


@dataclass(slots=True)
class Emitter:
    """Emits ``rate`` events a second, in turn to each of ``routers``, until they are answered.

    ``acked`` has the moment of each answer, in microseconds since the epoch.
    """

    routers: Sequence[Installation]
    rate: int
    seed: int
    attempted: dict[str, Severity] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """When the block ends, every event under way has its answer."""
        worker = threading.Thread(target=self._work)
        worker.start()
        try:
            yield
        finally:
            self._stop.set()
            worker.join()

    def _work(self) -> None:
        chance = random.Random(self.seed)
        due = time.monotonic()
        for number in count():
            due += 1 / BATCHES_A_SECOND
            if self._stop.wait(max(due - time.monotonic(), 0)):
                return
            size = self.rate * (number + 1) // BATCHES_A_SECOND
            size -= self.rate * number // BATCHES_A_SECOND
            self._emit([self._new_event(chance) for _ in range(size)], number)

    def _new_event(self, chance: random.Random) -> event_pb2.Event:
        event_id = f"storm-{next(self._numbers):07d}"
        severity = chance.choices(list(SHARES), list(SHARES.values()))[0]
        about = f"vm/{event_id}"
        if chance.random() < REPEATED and severity is not Severity.CRITICAL:
            # Each of one severity: another one would be a change, and told.
            alarm = chance.randrange(ALARMS)
            about, severity = f"alarm/{alarm}", list(SHARES)[alarm % 4]
        self.attempted[event_id] = severity
        return event_pb2.Event(
            event_id=event_id,
            type="backup.warning",
            severity=event_pb2.Severity.ValueType(severity.value),
            subject=f"{about} has a {severity.label}",
            summary="Look at it.",
            actor="storm@polystack",
            resource=f"ibs-primary:{about}",
        )

    def _emit(self, events: Sequence[event_pb2.Event], turn: int) -> None:
        request = router_service_pb2.EmitBatchRequest(events=events)
        deadline = time.monotonic() + FINISH_SECONDS
        while time.monotonic() < deadline:
            router = self.routers[turn % len(self.routers)]
            turn += 1
            try:
                answer = router.router.EmitBatch(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in AGAIN:
                    raise
                time.sleep(RETRY_PAUSE_SECONDS)
                continue
            now = time.time_ns() // 1000
            for event, result in zip(events, answer.results, strict=True):
                if result.HasField("accepted"):
                    self.acked[event.event_id] = now
                else:
                    self.refused.append(f"{event.event_id} {result.error.message}")
            return
