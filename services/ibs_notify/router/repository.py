"""Events with their obligations, in one transaction: what an acknowledgement stands for.

Every function takes a connection inside a transaction that its caller commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.domain.failpoints import hit
from ibs_notify.router.books import StoredEvent, events_by_id
from ibs_notify.router.pipeline import Routed
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, SEQUENCE
from ibs_notify.store.bulk import Bulk, bulk_insert


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is routed and ready to be stored; ``received_at`` in microseconds.

    ``content_hash`` is empty where the id is ours. ``body`` is the event's protobuf. ``opened``
    are the obligations that get a row, by position; the others are ``packed``, as protobuf.
    """

    event_id: str
    received_at: int
    revision: int
    severity: int
    type: str
    resource: str
    actor: str
    task_id: str
    content_hash: bytes
    body: bytes
    opened: Sequence[tuple[int, Routed]]
    closed: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """The id was stored before, as ``event``; ``same`` tells whether with the same content.

    ``event`` is ``None`` where the former one is of the same batch.
    """

    event: StoredEvent | None
    same: bool


_NEXT_NUMBERS = Bulk(
    sa.update(SEQUENCE)
    .where(SEQUENCE.c.name == sa.bindparam("sequence"))
    .values(value=SEQUENCE.c.value + sa.bindparam("count", type_=sa.BigInteger))
    .returning(SEQUENCE.c.value),
    ("count", "sequence"),
)
_INSERT_EVENTS = bulk_insert(EVENTS)
_INSERT_OBLIGATIONS = bulk_insert(OBLIGATIONS)


def insert_events(
    connection: sa.Connection, batches: Sequence[Sequence[NewEvent]]
) -> Sequence[Sequence[Known | None]]:
    """Store every event that is not there yet; for each, ``None`` if new, else what is known."""
    if any(each.content_hash for batch in batches for each in batch):
        _take_turn(connection)
    known = _known(connection, [each for batch in batches for each in batch])
    new: list[NewEvent] = []
    answers = [[_classify(each, known, new) for each in batch] for batch in batches]
    if new:
        _insert(connection, new)
    return answers


def _take_turn(connection: sa.Connection) -> None:
    """Wait for a replica that writes events now: it may be storing the same ids."""
    connection.execute(
        sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == "event").with_for_update()
    )


Former = tuple[bytes, StoredEvent | None]


def _known(connection: sa.Connection, events: Sequence[NewEvent]) -> dict[str, Former]:
    """Those of the ids that emitters chose which are stored, with their content's hash."""
    chosen = [each.event_id for each in events if each.content_hash]
    if not chosen:
        return {}
    return {
        stored.event_id: (stored.content_hash, stored)
        for stored in events_by_id(connection, chosen)
    }


def _classify(event: NewEvent, known: dict[str, Former], new: list[NewEvent]) -> Known | None:
    former = known.get(event.event_id) if event.content_hash else None
    if former is None:
        new.append(event)
        if event.content_hash:
            # The same id may come twice in one batch.
            known[event.event_id] = (event.content_hash, None)
        return None
    content_hash, stored = former
    return Known(stored, same=content_hash == event.content_hash)


def _insert(connection: sa.Connection, events: Sequence[NewEvent]) -> None:
    last = _NEXT_NUMBERS.scalar(connection, (len(events), "event"))
    numbered = list(enumerate(events, start=last - len(events) + 1))
    _INSERT_EVENTS.run(
        connection,
        [
            (
                seq,
                each.event_id,
                each.received_at,
                each.revision,
                len(each.opened),
                each.closed,
                each.severity,
                each.type,
                each.resource,
                each.actor,
                each.task_id,
                each.content_hash or None,
                each.body,
                each.packed,
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
                routed.route.route_id,
                routed.decision.state.value,
                routed.decision.reason.value,
                routed.decision.pointer,
                "",
                None,
                None,
            )
            for seq, each in numbered
            for position, routed in each.opened
        ],
    )
    hit("router.before_commit")
