"""The Router's writes: events with their obligations, releases, handoffs. Plain SQL functions.

Every function takes a connection inside a transaction that its caller commits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.failpoints import hit
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.pipeline import Routing
from ibs_notify.router.ports import Handoff
from ibs_notify.router.release import Coalesced, Released, Waiting, release
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, SEQUENCE
from ibs_notify.store.bulk import Bulk, bulk_insert


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is routed and ready to be stored.

    ``content_hash`` is empty where the id is ours. ``body`` and ``answer`` are protobuf: the event
    as it is kept, and what its emitter is told.
    """

    event_id: str
    received_at: datetime
    revision: int
    severity: int
    type: str
    resource: str
    actor: str
    task_id: str
    content_hash: bytes
    body: bytes
    answer: bytes
    routing: Routing


@dataclass(frozen=True, slots=True)
class Known:
    """The id was stored before. ``same`` tells whether with the same content."""

    answer: bytes
    same: bool


_INSERT_EVENTS = bulk_insert(EVENTS)
_INSERT_OBLIGATIONS = bulk_insert(OBLIGATIONS)
_RELEASE = Bulk(
    sa.update(OBLIGATIONS)
    .where(
        OBLIGATIONS.c.event_seq == sa.bindparam("key_seq"),
        OBLIGATIONS.c.position == sa.bindparam("key_position"),
    )
    .values(
        recipients=sa.bindparam("recipients"),
        released_at=sa.bindparam("released_at"),
        delivery_id=sa.bindparam("delivery_id"),
    ),
    ("recipients", "released_at", "delivery_id", "key_seq", "key_position"),
)
_CLOSE = Bulk(
    sa.update(OBLIGATIONS)
    .where(
        OBLIGATIONS.c.event_seq == sa.bindparam("key_seq"),
        OBLIGATIONS.c.position == sa.bindparam("key_position"),
    )
    .values(
        state=sa.bindparam("state"),
        reason=sa.bindparam("reason"),
        pointer=sa.bindparam("pointer"),
    ),
    ("state", "reason", "pointer", "key_seq", "key_position"),
)
_HAND_OFF = Bulk(
    sa.update(OBLIGATIONS)
    .where(
        OBLIGATIONS.c.event_seq == sa.bindparam("key_seq"),
        OBLIGATIONS.c.position == sa.bindparam("key_position"),
    )
    .values(state=sa.bindparam("state")),
    ("state", "key_seq", "key_position"),
)


def insert_events(
    connection: sa.Connection, batches: Sequence[Sequence[NewEvent]]
) -> Sequence[Sequence[Known | None]]:
    """Store every event that is not there yet; for each, ``None`` if new, else what is known."""
    known = _known(connection, [each for batch in batches for each in batch])
    new: list[NewEvent] = []
    answers = [[_classify(each, known, new) for each in batch] for batch in batches]
    if new:
        _insert(connection, new)
    return answers


def _known(connection: sa.Connection, events: Sequence[NewEvent]) -> dict[str, tuple[bytes, bytes]]:
    """Of the ids that emitters chose: content hash and answer of those that are stored."""
    chosen = [each.event_id for each in events if each.content_hash]
    if not chosen:
        return {}
    rows = connection.execute(
        sa.select(EVENTS.c.event_id, EVENTS.c.content_hash, EVENTS.c.answer).where(
            EVENTS.c.event_id.in_(chosen)
        )
    )
    return {row.event_id: (row.content_hash or b"", row.answer) for row in rows}


def _classify(
    event: NewEvent, known: dict[str, tuple[bytes, bytes]], new: list[NewEvent]
) -> Known | None:
    former = known.get(event.event_id)
    if former is None:
        new.append(event)
        if event.content_hash:
            # The same id may come twice in one batch.
            known[event.event_id] = (event.content_hash, event.answer)
        return None
    content_hash, answer = former
    return Known(answer, same=content_hash == event.content_hash)


def _insert(connection: sa.Connection, events: Sequence[NewEvent]) -> None:
    last = connection.execute(
        sa.update(SEQUENCE)
        .where(SEQUENCE.c.name == "event")
        .values(value=SEQUENCE.c.value + len(events))
        .returning(SEQUENCE.c.value)
    ).scalar_one()
    numbered = list(enumerate(events, start=last - len(events) + 1))
    _INSERT_EVENTS.run(
        connection,
        [
            (
                seq,
                each.event_id,
                to_micros(each.received_at),
                each.revision,
                len(each.routing.obligations),
                each.severity,
                each.type,
                each.resource,
                each.actor,
                each.task_id,
                each.content_hash or None,
                each.body,
                each.answer,
            )
            for seq, each in numbered
        ],
    )
    hit("router.after_insert")
    _INSERT_OBLIGATIONS.run(
        connection,
        [
            (
                seq,
                position,
                each.severity,
                routed.route.group,
                routed.route.target,
                routed.route.target_uid,
                routed.route.subscription_uid,
                json.dumps(routed.route.recipients),
                routed.decision.state.value,
                routed.decision.reason.value,
                routed.decision.pointer,
                None,
                None,
            )
            for seq, each in numbered
            for position, routed in enumerate(each.routing.obligations)
        ],
    )
    hit("router.before_commit")


def release_next(connection: sa.Connection, limit: int, now: datetime) -> list[Handoff]:
    """Release up to ``limit`` ready obligations, highest severity first, then oldest.

    Returns what is to be handed off: what was released earlier and not acknowledged comes first.
    """
    pending = handoffs_pending(connection, limit)
    if pending:
        return pending
    waiting = _ready(connection, limit)
    if not waiting:
        return []
    decisions = release(waiting, _released_before(connection, waiting))
    _write_release(connection, decisions, now)
    return handoffs_pending(connection, limit)


_IS_OPEN = OBLIGATIONS.c.state == sa.literal_column("'ready'")
_URGENCY = (OBLIGATIONS.c.severity.desc(), OBLIGATIONS.c.event_seq, OBLIGATIONS.c.position)


def _ready(connection: sa.Connection, limit: int) -> list[Waiting]:
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            EVENTS.c.event_id,
            OBLIGATIONS.c.target_uid,
            OBLIGATIONS.c.recipients,
        )
        .join(EVENTS, EVENTS.c.seq == OBLIGATIONS.c.event_seq)
        .where(_IS_OPEN, OBLIGATIONS.c.released_at.is_(None))
        .order_by(*_URGENCY)
        .limit(limit)
    )
    return [
        Waiting(seq, position, event_id, uid, tuple(json.loads(recipients)))
        for seq, position, event_id, uid, recipients in rows
    ]


def _released_before(connection: sa.Connection, waiting: Sequence[Waiting]) -> list[Released]:
    """What other routes of the same events took before."""
    events = {each.event_seq: each.event_id for each in waiting}
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            OBLIGATIONS.c.target_uid,
            OBLIGATIONS.c.recipients,
            OBLIGATIONS.c.delivery_id,
        ).where(OBLIGATIONS.c.event_seq.in_(list(events)), OBLIGATIONS.c.released_at.is_not(None))
    )
    return [
        Released(
            Waiting(seq, position, events[seq], uid, ()), identity, tuple(json.loads(recipients))
        )
        for seq, position, uid, recipients, identity in rows
    ]


def _write_release(
    connection: sa.Connection, decisions: Sequence[Released | Coalesced], now: datetime
) -> None:
    moment = to_micros(now)
    _RELEASE.run(
        connection,
        [
            (
                json.dumps(each.recipients),
                moment,
                each.delivery_id,
                each.waiting.event_seq,
                each.waiting.position,
            )
            for each in decisions
            if isinstance(each, Released)
        ],
    )
    _CLOSE.run(
        connection,
        [
            (
                State.COALESCED.value,
                Reason.DESTINATION_TAKEN.value,
                each.into,
                each.waiting.event_seq,
                each.waiting.position,
            )
            for each in decisions
            if isinstance(each, Coalesced)
        ],
    )


def handoffs_pending(connection: sa.Connection, limit: int) -> list[Handoff]:
    """Released obligations that Delivery has not acknowledged, most urgent first."""
    rows = connection.execute(
        sa.select(
            OBLIGATIONS.c.event_seq,
            OBLIGATIONS.c.position,
            EVENTS.c.event_id,
            OBLIGATIONS.c.delivery_id,
            EVENTS.c.body,
            EVENTS.c.revision,
            OBLIGATIONS.c.group_name,
            OBLIGATIONS.c.target_name,
            OBLIGATIONS.c.target_uid,
            OBLIGATIONS.c.subscription_uid,
            OBLIGATIONS.c.recipients,
        )
        .join(EVENTS, EVENTS.c.seq == OBLIGATIONS.c.event_seq)
        .where(_IS_OPEN, OBLIGATIONS.c.released_at.is_not(None))
        .order_by(*_URGENCY)
        .limit(limit)
    )
    return [
        Handoff(
            event_seq=row.event_seq,
            position=row.position,
            event_id=row.event_id,
            delivery_id=row.delivery_id,
            body=row.body,
            revision=row.revision,
            group=row.group_name,
            target=row.target_name,
            target_uid=row.target_uid,
            subscription_uid=row.subscription_uid,
            recipients=tuple(json.loads(row.recipients)),
        )
        for row in rows
    ]


def mark_handed_off(connection: sa.Connection, handoffs: Sequence[Handoff]) -> None:
    """Delivery answers for these from now on."""
    _HAND_OFF.run(
        connection,
        [(State.HANDED_OFF.value, each.event_seq, each.position) for each in handoffs],
    )
