"""Emit: from the message on the wire to an answer that is durable. The edge of the Router."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from ibs_notify.domain import bounds
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.domain.event import Event
from ibs_notify.domain.failpoints import hit
from ibs_notify.router.books import StoredEvent, index_text
from ibs_notify.router.identity import EventIds
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.pipeline import Routing, route
from ibs_notify.router.repository import Known, NewEvent
from ibs_notify.router.views import pack
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.store.group_commit import GroupCommit
from ironcore.notification.v1 import event_pb2

Commit = GroupCommit[Sequence[NewEvent], Sequence[Known | None]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event is on disk. A ``duplicate`` was before; ``known`` unless in the same batch."""

    event_id: str
    routing: Routing
    duplicate: bool = False
    known: StoredEvent | None = None


Answer = Accepted | NotificationError


class Intake:
    """Validates, routes and stores events; ``table`` returns the routing table in force."""

    def __init__(
        self,
        commit: Commit,
        table: Callable[[], RoutingTable | None],
        clock: Clock,
        free_space: FreeSpace,
        on_stored: Callable[[], None],
    ) -> None:
        self._commit = commit
        self._table = table
        self._clock = clock
        self._free_space = free_space
        self._on_stored = on_stored
        self._ids = EventIds()

    async def accept(self, messages: Sequence[event_pb2.Event]) -> list[Answer]:
        """An answer for each of ``messages``, in order, after all of them are on disk.

        ``Unavailable`` and ``ResourceExhausted`` are raised and concern all: nothing was stored.
        """
        table = self._table()
        if table is None:
            raise Unavailable(
                Reason.NOT_READY,
                "the Router has no configuration yet",
                advice="is Config running? Retrying is safe",
            )
        self._free_space.require()
        now = self._clock.now()
        prepared = [self._prepare(message, table, now) for message in messages]
        events = [each[0] for each in prepared if not isinstance(each, NotificationError)]
        known = iter(await self._commit.submit(events) if events else ())
        hit("router.after_commit")
        self._on_stored()
        return [
            each if isinstance(each, NotificationError) else _answer(*each, next(known))
            for each in prepared
        ]

    def _prepare(
        self, message: event_pb2.Event, table: RoutingTable, now: datetime
    ) -> tuple[NewEvent, Routing] | InvalidArgument:
        event, faults = event_from_proto(message, now)
        faults += bounds.faults_of(event)
        if faults:
            return InvalidArgument.of(faults, Reason.EVENT_INVALID)
        content_hash = _content_hash(message) if event.event_id else b""
        event_id = event.event_id or self._ids.next(now)
        _complete(message, event_id, event, table.public_url)
        body = message.SerializeToString()
        if len(body) > bounds.MAX_EVENT_BYTES:
            fault = FieldViolation(
                "event", f"has {len(body)} bytes; at most {bounds.MAX_EVENT_BYTES}"
            )
            return InvalidArgument.of([fault], Reason.EVENT_INVALID)
        routing = route(table, event)
        opened, closed, packed = pack(event_id, routing)
        new = NewEvent(
            event_id,
            to_micros(now),
            table.revision,
            event.severity.value,
            event.type,
            index_text(event.canonical_resource),
            index_text(event.actor),
            index_text(event.task_id),
            content_hash,
            body,
            opened,
            closed,
            packed,
        )
        return new, routing


def _answer(new: NewEvent, routing: Routing, known: Known | None) -> Answer:
    if known is None:
        return Accepted(new.event_id, routing)
    if not known.same:
        return AlreadyExists(
            Reason.EVENT_ID_REUSED,
            f"event_id {new.event_id!r} was used before with other content",
            advice="give each event an id of its own, or leave it to the Router",
        )
    return Accepted(new.event_id, routing, duplicate=True, known=known.event)


def _content_hash(message: event_pb2.Event) -> bytes:
    """Of what the emitter sent, before anything is filled in."""
    return hashlib.blake2b(message.SerializeToString(deterministic=True), digest_size=16).digest()


def _complete(message: event_pb2.Event, event_id: str, event: Event, public_url: str) -> None:
    """Fill in what the emitter left out."""
    if not message.event_id:
        message.event_id = event_id
    if not message.severity:
        message.severity = event_pb2.Severity.ValueType(event.severity.value)
    if not message.HasField("timestamp"):
        message.timestamp.FromDatetime(event.timestamp)
    if public_url and message.task_id:
        task = quote(message.task_id, safe="")
        if not message.task_url:
            message.task_url = f"{public_url}/#tasks/{task}"
        if "task_log" not in message.links:
            message.links["task_log"] = f"{public_url}/api2/json/tasks/{task}/log"
