"""Emit: from the message on the wire to an answer that is durable. The edge of the Router."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.domain import bounds as event_bounds
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    NotificationError,
    PermissionDenied,
    Reason,
)
from ibs_notify.domain.event import Event
from ibs_notify.domain.failpoints import hit
from ibs_notify.domain.principal import UNBOUND, Bounds
from ibs_notify.router.books import StoredEvent
from ibs_notify.router.emitter_bounds import confined, judge, refusal_of
from ibs_notify.router.identity import EventIds
from ibs_notify.router.in_force import required
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.memory import Key, keys_of
from ibs_notify.router.notices import notice_of_no_recipients, notice_of_unknown_groups
from ibs_notify.router.pipeline import Arrival, Routing
from ibs_notify.router.repository import Answer as Stored
from ibs_notify.router.repository import Known, NewEvent
from ibs_notify.router.scope import who_hears
from ibs_notify.rpc.convert import event_from_proto, event_to_proto
from ibs_notify.rpc.event_links import complete_links
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.store.group_commit import GroupCommit
from ironcore.notification.v1 import event_pb2

Commit = GroupCommit[Sequence[NewEvent], Sequence[Stored]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event is on disk. A ``duplicate`` was before; ``known`` is then what is stored of it,

    ``None`` where it is of the same batch, or gone.
    """

    event_id: str
    routing: Routing
    duplicate: bool = False
    known: StoredEvent | None = None


Answer = Accepted | NotificationError


class Intake:
    """Validates, matches and stores events; ``table`` returns the routing table in force."""

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

    async def accept(
        self, messages: Sequence[event_pb2.Event], bounds: Bounds = UNBOUND
    ) -> list[Answer]:
        """An answer for each of ``messages``, in order, after all of them are on disk.

        What is outside of the emitter's ``bounds`` is refused.

        ``Unavailable`` and ``ResourceExhausted`` are raised and concern all: nothing was stored.
        """
        table = required(self._table())
        self._free_space.require()
        now = self._clock.now()
        prepared = [prepare(message, table, now, self._ids.next, bounds) for message in messages]
        events = [each for each in prepared if isinstance(each, NewEvent)]
        stored = iter(await self._commit.submit(events) if events else ())
        hit("router.after_commit")
        self._on_stored()
        return [
            _answer(each, next(stored)) if isinstance(each, NewEvent) else each for each in prepared
        ]

    async def emit(self, event: Event) -> None:
        """Take an event of the Router's own as if it was sent; raises what a sender is answered."""
        (answer,) = await self.accept((event_to_proto(event),))
        if isinstance(answer, NotificationError):
            raise answer


def prepare(
    message: event_pb2.Event,
    table: RoutingTable,
    now: datetime,
    next_id: Callable[[datetime], str],
    bounds: Bounds = UNBOUND,
) -> NewEvent | InvalidArgument | PermissionDenied:
    """The event of ``message`` with the routes that match it, or why it is refused.

    ``message`` is completed to what is stored; ``next_id`` is asked where it has no id.
    """
    event, faults = event_from_proto(message, now)
    faults += event_bounds.faults_of(event)
    if faults:
        return InvalidArgument.of(faults, Reason.EVENT_INVALID)
    if bounds is not UNBOUND:
        if refused := refusal_of(judge(bounds, event), bounds):
            return refused
        event = confined(bounds, event)
    content_hash = _content_hash(message) if event.event_id else b""
    event_id = event.event_id or next_id(now)
    _complete(message, event_id, event, table.public_url)
    body = message.SerializeToString()
    most = event_bounds.MAX_EVENT_BYTES
    if len(body) > most:
        fault = FieldViolation("event", f"has {len(body)} bytes; at most {most}")
        return InvalidArgument.of([fault], Reason.EVENT_INVALID)
    arrival = arrival_of(table, event, event_id, now)
    return NewEvent(arrival, table.revision, content_hash, body)


def arrival_of(table: RoutingTable, event: Event, event_id: str, now: datetime) -> Arrival:
    """The event with the routes that match it, ready to be decided on."""
    heard = who_hears(table, event)
    keys = _keys(heard.routes, event)
    notices = _notices(table, heard.routes, event, now)
    return Arrival(event_id, event, now, heard.routes, keys, heard.warnings, notices)


def _notices(
    table: RoutingTable, routes: Sequence[Route], event: Event, now: datetime
) -> Sequence[Event]:
    found = [notice_of_no_recipients(each, event, now) for each in routes if each.lacks_recipients]
    if event.groups:
        found.append(notice_of_unknown_groups(table.group_names, event, now))
    return [each for each in found if each is not None]


def _keys(routes: Sequence[Route], event: Event) -> Sequence[Key | None]:
    """The window of each route; the fingerprint is made once, and only where it is needed."""
    uids = [each.subscription_uid for each in routes if _is_deduplicated(each)]
    keys = iter(keys_of(event, uids) if uids else ())
    return [next(keys) if _is_deduplicated(each) else None for each in routes]


def _is_deduplicated(route: Route) -> bool:
    return bool(route.dedup_window) and not route.is_metric_server


def _answer(new: NewEvent, stored: Stored) -> Answer:
    event_id = new.arrival.event_id
    if not isinstance(stored, Known):
        return Accepted(event_id, stored)
    if not stored.same:
        return AlreadyExists(
            Reason.EVENT_ID_REUSED,
            f"event_id {event_id!r} was used before with other content",
            advice="give each event an id of its own, or leave it to the Router",
        )
    return Accepted(event_id, stored.routing, duplicate=True, known=stored.event)


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
    complete_links(message, public_url)
