"""The client for threads."""

from __future__ import annotations

import atexit
import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import grpc

from ibs_notify import settings
from ibs_notify.client.buffer import (
    MAX_WAITING_BYTES,
    MAX_WAITING_EVENTS,
    Buffer,
    Mark,
    MemoryBuffer,
)
from ibs_notify.client.message import EventFields, check, event_message
from ibs_notify.client.receipt import NotAcknowledged, Receipt
from ibs_notify.client.sender import Sender, Tally, event_id_of
from ibs_notify.client.spool import DEFAULT_BYTES, Spool
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.domain.errors import FailedPrecondition, Reason, ResourceExhausted, Unavailable
from ibs_notify.domain.uuid7 import Uuid7
from ibs_notify.rpc.caller import calling_as
from ibs_notify.rpc.channel import open_blocking_channel
from ibs_notify.rpc.client_credentials import emitter_endpoint
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

CALL_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
SPOOLED_CLOSE_SECONDS = 5.0
_SERVICE = pb.DESCRIPTOR.services_by_name["RouterService"].full_name


class Notifier:
    """Emits events, from any thread. Make one for the life of the program, after any fork.

    ``address`` is the Router's, ``user`` who emits; by default as the settings of the services
    say (IBS_NOTIFY_ROUTER_ADDRESS, IBS_NOTIFY_USER). An event gets its id here, before the first
    try, so that every repetition is recognised: it is stored once.

    By TLS with ``ca_file``, the certificates that vouch for the host of ``address``; without it as
    the settings say. ``token`` is presented on TLS only; by default it is that of the variable
    IBS_NOTIFY_TOKEN or of the setting ``token_file``. ``NotificationError`` where a file cannot be
    used.

    Without ``spool`` events wait in memory, 10,000 or 32 MiB at most. One that the Router does not
    acknowledge in ``patience`` seconds is given up: its receipt, ``flush`` and ``close`` say so.
    Where there is no room ``emit`` waits for some, ``wait_for_room`` seconds at most.

    With ``spool``, a directory of this process alone, an event is on disk when ``emit`` returns. It
    stays there until it is acknowledged, over restarts of the program and however long the Router
    is away, and all are sent in the order they were emitted. ``spool_bytes`` bounds the directory;
    where it is full ``emit`` raises, and drops nothing.

    What is not closed is closed at the interpreter's exit.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        spool: Path | str | None = None,
        spool_bytes: int = DEFAULT_BYTES,
        patience: float = PATIENCE_SECONDS,
        wait_for_room: float | None = None,
        user: str | None = None,
        token: str = "",
        ca_file: Path | str | None = None,
        clock: Clock | None = None,
    ) -> None:
        explicit = address is not None and user is not None and ca_file is not None
        loaded = settings.Settings() if explicit else settings.load()
        endpoint = emitter_endpoint(loaded, address or "", ca_file, token)
        self._clock = clock or SystemClock()
        self._buffer: Buffer = (
            MemoryBuffer() if spool is None else Spool(Path(spool).absolute(), spool_bytes)
        )
        self._spooled = spool is not None
        self._patience = patience
        self._wait_for_room = wait_for_room
        self._ids = Uuid7()
        self._channel = open_blocking_channel(endpoint)
        self._metadata = calling_as(user or loaded.caller)
        # Records are bytes already.
        self._emit_batch: grpc.UnaryUnaryMultiCallable[bytes, pb.EmitBatchResponse] = (
            self._channel.unary_unary(
                f"/{_SERVICE}/EmitBatch",
                request_serializer=None,
                response_deserializer=pb.EmitBatchResponse.FromString,
            )
        )
        self._sender = Sender(
            self._buffer, self._call, self._clock, None if self._spooled else patience
        )
        self._closed = False
        self._process = os.getpid()
        atexit.register(self._close_at_exit)
        self._sender.start()

    def emit(self, type: str, **fields: Unpack[EventFields]) -> Receipt:
        """Say that something happened. Returns at once; ``receipt.result()`` waits for the Router.

        ``severity`` is a ``Severity`` or its word; unset it is the type's. ``timestamp`` is aware;
        unset it is now.

        Raises ``InvalidArgument`` naming every fault of the event, ``ResourceExhausted`` where
        there is no room for it (TOO_MANY_REQUESTS in memory, STORAGE_FULL in the spool),
        ``Unavailable`` where the spool's disk fails, ``FailedPrecondition`` after ``close``.
        """
        return self.emit_message(event_message(type, fields))

    def emit_message(self, message: event_pb2.Event) -> Receipt:
        """The same for a message; it is copied, and its ``event_id`` kept where it has one."""
        receipt, mark = self.take(message, self._wait_for_room)
        if self._spooled:
            self.store(mark)
        return receipt

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything emitted so far has its answer, whichever that is.

        ``TimeoutError`` after ``timeout`` seconds; ``NotAcknowledged`` names what was given up
        since the last time.
        """
        with self._sender.changed:
            last = self._buffer.tail
            arrived = self._sender.changed.wait_for(
                lambda: self._buffer.head >= last or self._sender.stopped, timeout
            )
        if not arrived:
            raise TimeoutError("not everything that was emitted has its answer yet")
        self._report(self._sender.tell_given_up())

    def close(self, timeout: float | None = None) -> None:
        """Send what waits, for ``timeout`` seconds at most, then stop.

        Without a spool that is ``patience`` by default, and ``NotAcknowledged`` names what has no
        answer. With one it is 5 seconds, and the rest is sent by the next process.
        """
        if self._closed or os.getpid() != self._process:
            return
        with self._sender.changed:
            self._closed = True
        if timeout is None:
            timeout = SPOOLED_CLOSE_SECONDS if self._spooled else self._patience
        self._sender.drain(timeout)
        self._sender.stop(self._channel.close)
        atexit.unregister(self._close_at_exit)
        missing = self._sender.tell_given_up()
        if self._spooled:
            left = "the Router did not acknowledge it; it stays in the spool and is sent later"
        else:
            left = "the Router did not acknowledge it before the notifier was closed"
            waiting = self._buffer.peek(MAX_WAITING_EVENTS, MAX_WAITING_BYTES)
            missing += [event_id_of(each.record) for each in waiting]
        self._sender.dismiss(Unavailable(Reason.SERVICE_UNREACHABLE, left))
        self._buffer.close()
        self._report(missing)

    @property
    def tally(self) -> Tally:
        """How many events of this process have which answer."""
        return self._sender.tally

    @property
    def spooled(self) -> bool:
        """Whether events are on disk when ``emit`` returns."""
        return self._spooled

    def take(self, message: event_pb2.Event, wait: float | None) -> tuple[Receipt, Mark]:
        """The first half of ``emit_message``: check, id, a place in the queue.

        Without a spool that is all of it.
        """
        kept = event_pb2.Event()
        kept.CopyFrom(message)
        now = self._clock.now()
        if not kept.HasField("timestamp"):
            kept.timestamp.FromDatetime(now)
        check(kept, now)
        with self._sender.changed:
            kept.event_id = kept.event_id or self._ids.next(now)
            record = pb.EmitBatchRequest(events=[kept]).SerializeToString()
            mark = self._append(record, wait)
            receipt = Receipt(kept.event_id)
            self._sender.track(mark, receipt)
            if not self._spooled:
                self._sender.changed.notify_all()
        return receipt, mark

    def store(self, mark: Mark) -> None:
        """The second half, with a spool: wait until it is on disk, and let the sender know."""
        self._buffer.sync(mark)
        with self._sender.changed:
            self._sender.changed.notify_all()

    def _append(self, record: bytes, wait: float | None) -> Mark:
        end = None if wait is None else self._clock.monotonic() + wait
        while True:
            self._require_usable()
            try:
                return self._buffer.append(record, self._clock.monotonic())
            except ResourceExhausted:
                left = None if end is None else end - self._clock.monotonic()
                if self._spooled or (left is not None and left <= 0):
                    raise
                self._sender.changed.wait(left)

    def _require_usable(self) -> None:
        if self._closed or self._sender.stopped:
            raise FailedPrecondition(Reason.NOT_READY, "the notifier is closed")
        if os.getpid() != self._process:
            raise FailedPrecondition(
                Reason.NOT_READY,
                "the notifier belongs to the process that this one was forked from",
                advice="make one after the fork",
            )

    def _call(self, request: bytes) -> pb.EmitBatchResponse:
        return self._emit_batch(request, timeout=CALL_SECONDS, metadata=self._metadata)

    def _report(self, event_ids: list[str]) -> None:
        if event_ids:
            raise NotAcknowledged(event_ids)

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except NotAcknowledged as error:
            log.error("%s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
