"""What the Router's database says of every obligation, those included that were closed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import State
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, ROUTES
from ibs_notify.store.engine import open_database
from ironcore.notification.v1 import event_pb2, router_service_pb2
from ironcore.notification.v1.disposition_pb2 import DispositionState


@dataclass(frozen=True, slots=True)
class Obligation:
    """An event × a subscription. ``released_at`` in microseconds, ``None`` where it was not.

    ``obligation_id`` and ``pointer`` as the Router writes them.
    """

    obligation_id: str
    event_id: str
    severity: Severity
    group: str
    target: str
    state: State
    pointer: str = ""
    released_at: int | None = None
    is_summary: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """``events`` are the subjects of all events by id."""

    events: dict[str, str]
    obligations: list[Obligation]


def read_storm(url: str) -> Books:
    """One consistent view of the database at ``url``, which the Router may be using."""
    return asyncio.run(_read(url))


async def _read(url: str) -> Books:
    database = await open_database(url)
    try:
        return await database.read(_books)
    finally:
        await database.close()


def _books(connection: sa.Connection) -> Books:
    events: dict[str, str] = {}
    obligations: list[Obligation] = []
    for row in connection.execute(sa.select(EVENTS.c.event_id, EVENTS.c.body, EVENTS.c.packed)):
        event = event_pb2.Event.FromString(row.body)
        events[row.event_id] = event.subject
        obligations += _closed_at_once(row.event_id, Severity(event.severity), row.packed)
    rows = connection.execute(
        sa.select(
            OBLIGATIONS,
            EVENTS.c.event_id,
            EVENTS.c.type,
            ROUTES.c.group_name,
            ROUTES.c.target_name,
        )
        .join(EVENTS, EVENTS.c.seq == OBLIGATIONS.c.event_seq)
        .join(ROUTES, ROUTES.c.route_id == OBLIGATIONS.c.route_id)
    )
    obligations += (
        Obligation(
            obligation_id(row.event_id, row.position),
            row.event_id,
            Severity(row.severity),
            row.group_name,
            row.target_name,
            State(row.state),
            row.pointer,
            row.released_at,
            row.type == SUMMARY_TYPE,
        )
        for row in rows
    )
    return Books(events, obligations)


def _closed_at_once(event_id: str, severity: Severity, packed: bytes) -> Iterator[Obligation]:
    for each in router_service_pb2.EventRecord.FromString(packed).dispositions:
        name = DispositionState.Name(each.state).removeprefix("DISPOSITION_STATE_").lower()
        yield Obligation(
            each.obligation_id,
            event_id,
            severity,
            each.group,
            each.target,
            State(name),
            each.pointer,
        )
