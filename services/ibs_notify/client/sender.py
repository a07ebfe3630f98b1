"""The thread that brings events to the Router: in order, one batch at a time, until answered.

While a batch is away the next one collects, so a lone event goes at once and load makes batches.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import assert_never
from weakref import WeakValueDictionary

import grpc

from ibs_notify.client.answers import as_answer
from ibs_notify.client.buffer import Buffer, Entry, Mark
from ibs_notify.client.receipt import Receipt
from ibs_notify.client.retry import Next, after_failure
from ibs_notify.domain.bounds import MAX_BATCH
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import Internal, NotificationError, Reason, Unavailable
from ibs_notify.rpc.backoff import pause
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 2 * 1024 * 1024
SAY_AGAIN_SECONDS = 60.0
MOST_GIVEN_UP = 10_000
"""That many ids are kept for ``flush`` and ``close``; each was logged, or told by its receipt."""
_LAST_SECONDS = 5.0
"""How long a call that was cut off may take to notice."""

Call = Callable[[bytes], pb.EmitBatchResponse]
"""Sends an ``EmitBatchRequest``, given in bytes. Raises ``grpc.RpcError``."""


@dataclass(slots=True)
class Tally:
    """How many events have which answer."""

    acknowledged: int = 0
    refused: int = 0


class Sender:
    """Sends what is in ``buffer``. ``patience``: seconds that an event may wait; None: for ever.

    ``jitter`` gives numbers in [0, 1) that spread retries.
    """

    def __init__(
        self,
        buffer: Buffer,
        call: Call,
        clock: Clock,
        patience: float | None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._buffer = buffer
        self._call = call
        self._clock = clock
        self._patience = patience
        self._jitter = jitter
        # Nobody need keep a receipt; a spool may hold more events than memory has room for.
        self._receipts: WeakValueDictionary[Mark, Receipt] = WeakValueDictionary()
        self.changed = Condition()
        """Notified when events come, are answered, or the sender stops."""
        self.tally = Tally()
        self._given_up: deque[str] = deque(maxlen=MOST_GIVEN_UP)
        self._draining = self._stopped = False
        self._most = MAX_BATCH
        self._failures = self._suspected = 0
        self._others_pass = True
        self._said_at: float | None = None
        self._thread = Thread(target=self._run, name="ibs-notify-sender", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def track(self, mark: Mark, receipt: Receipt) -> None:
        """Give ``receipt`` the answer of the event at ``mark``. Call with ``changed`` held."""
        self._receipts[mark] = receipt

    def drain(self, timeout: float | None) -> None:
        """Stop when everything is answered, or after ``timeout`` seconds. No more events come."""
        with self.changed:
            self._draining = True
            self.changed.notify_all()
        self._thread.join(timeout)

    def stop(self, cut: Callable[[], None]) -> None:
        """Stop now; ``cut`` makes a call under way fail."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
        cut()
        self._thread.join(_LAST_SECONDS)

    def tell_given_up(self) -> list[str]:
        """The ids that waited longer than ``patience`` since this was last called, the newest."""
        with self.changed:
            told = list(self._given_up)
            self._given_up.clear()
        return told

    def dismiss(self, error: NotificationError) -> None:
        """Tell everybody who still waits, after the end, that there will be no answer."""
        with self.changed:
            waiting = list(self._receipts.values())
        for receipt in waiting:
            if not receipt.done:
                receipt.answer.set_exception(error)

    @property
    def stopped(self) -> bool:
        """Whether nothing is sent any more."""
        return self._stopped

    def _run(self) -> None:
        try:
            while entries := self._next():
                self._send(entries)
        finally:
            # Also where a fault of ours ends the thread: nobody must wait for it then.
            with self.changed:
                self._stopped = True
                self.changed.notify_all()

    def _send(self, entries: Sequence[Entry]) -> None:
        try:
            results = self._ask(entries)
        except NotificationError as error:
            if not self._stopped:
                self._fail(entries, error)
            return
        self._failures = self._suspected = 0
        self._others_pass = True
        self._said_at = None
        self._most = min(self._most * 2, MAX_BATCH)
        self._succeed(entries, results)

    def _next(self) -> list[Entry]:
        """Wait for events; empty when it is time to stop."""
        while not self._stopped:
            entries = self._peek()
            with self.changed:
                if entries and not self._stopped:
                    return entries
                if self._buffer.head < self._buffer.tail:
                    continue
                self.changed.notify_all()
                if self._draining:
                    return []
                self.changed.wait()
        return []

    def _peek(self) -> list[Entry]:
        try:
            return self._buffer.peek(self._most, MAX_BATCH_BYTES)
        except OSError as error:
            log.error("the spool cannot be read: %s", error)
            with self.changed:
                self.changed.wait(1.0)
            return []

    def _ask(self, entries: Sequence[Entry]) -> Sequence[pb.EmitResponse | NotificationError]:
        try:
            response = self._call(b"".join(each.record for each in entries))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        except ValueError as error:
            # The channel was closed between the look and the call.
            raise Unavailable(Reason.SERVICE_UNREACHABLE, str(error)) from None
        if len(response.results) != len(entries):
            raise Internal(
                Reason.INTERNAL, f"{len(response.results)} answers for {len(entries)} events"
            )
        return [as_answer(each) for each in response.results]

    def _succeed(
        self, entries: Sequence[Entry], results: Sequence[pb.EmitResponse | NotificationError]
    ) -> None:
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, NotificationError):
                self._refuse(entry, result)
                continue
            self.tally.acknowledged += 1
            if (receipt := self._receipts.get(entry.mark)) is not None:
                receipt.answer.set_result(result)
        self._advance(entries[-1].mark)

    def _fail(self, entries: Sequence[Entry], error: NotificationError) -> None:
        next_ = after_failure(
            error, size=len(entries), suspected=self._suspected, others_pass=self._others_pass
        )
        match next_:
            case Next.REPEAT:
                pass
            case Next.SMALLER:
                self._most = max(1, len(entries) // 2)
            case Next.SUSPECT:
                self._suspected += 1
            case Next.REFUSED:
                self._suspected = 0
                self._others_pass = False
                self._refuse(entries[0], error)
                self._advance(entries[0].mark)
                return
            case _:
                assert_never(next_)
        self._failures += 1
        if self._give_up(entries, error):
            return
        self._log_wait(error)
        with self.changed:
            seconds = pause(self._failures, error, self._jitter())
            self.changed.wait_for(lambda: self._stopped, seconds)

    def _give_up(self, entries: Sequence[Entry], error: NotificationError) -> bool:
        """Answer those that waited long enough with ``error``; whether there were any."""
        if self._patience is None:
            return False
        latest = self._clock.monotonic() - self._patience
        late = [each for each in entries if each.since <= latest]
        with self.changed:
            self._given_up.extend(event_id_of(each.record) for each in late)
        for entry in late:
            self._answer_badly(entry, error)
        if late:
            self._advance(late[-1].mark)
        return bool(late)

    def _refuse(self, entry: Entry, error: NotificationError) -> None:
        self.tally.refused += 1
        try:
            self._buffer.set_aside(entry, f"event {event_id_of(entry.record)} was refused: {error}")
        except OSError as failure:
            log.error("a refused event cannot be kept aside: %s", failure)
        self._answer_badly(entry, error)

    def _answer_badly(self, entry: Entry, error: NotificationError) -> None:
        receipt = self._receipts.get(entry.mark)
        if receipt is None:
            log.error("event %s is not accepted: %s", event_id_of(entry.record), error)
        else:
            receipt.answer.set_exception(error)

    def _advance(self, mark: Mark) -> None:
        self._buffer.advance(mark)
        with self.changed:
            self.changed.notify_all()

    def _log_wait(self, error: NotificationError) -> None:
        """Once when it begins, then now and then as long as it lasts."""
        now = self._clock.monotonic()
        if self._said_at is None or now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning("events wait for the Router: %s", error)


def event_id_of(record: bytes) -> str:
    """The id of a record's event."""
    return pb.EmitBatchRequest.FromString(record).events[0].event_id
