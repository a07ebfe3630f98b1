"""A history of events for the bench of the inbox, written past the Router."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.catalogue import default_severity
from ibs_notify.router.dispositions import State, bit
from ibs_notify.router.tables import EVENTS, OBLIGATIONS, ROUTES, SEQUENCE
from ibs_notify.store.bulk import bulk_insert
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2

NEEDLE = "Zählerstand"
"""A word of which there are five in the whole history."""
SPAN_DAYS = 80
_CHUNK = 5_000
_TYPES = {
    "backup.started": 300,
    "backup.completed": 550,
    "backup.failed": 30,
    "backup.warning": 20,
    "sync.completed": 40,
    "sync.failed": 4,
    "verify.completed": 30,
    "verify.stale": 10,
    "verify.corrupt": 1,
    "datastore.free-space": 5,
    "auth.login-failed": 5,
    "system.certificate-renewed": 5,
}


def rows(count: int, end: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...] | None]]:
    """Rows of events, numbered from 1, each with that of its obligation if it has one.

    They were accepted in the 80 days up to ``end``, in microseconds.
    """
    chance = random.Random(1)  # the same history each time
    types = chance.choices(list(_TYPES), list(_TYPES.values()), k=count)
    for seq, event_type in enumerate(types, start=1):
        severity = default_severity(event_type)
        store, machine = chance.randrange(20), chance.randrange(3000)
        words = NEEDLE if seq % (count // 5) == count // 10 else "connection refused"
        resource = f"/datastore/ibs-{store:02d}/production/vm/{machine}"
        event = event_pb2.Event(
            event_id=f"evt-2026-05-21-{seq:028x}",
            type=event_type,
            severity=event_pb2.Severity.ValueType(severity.value),
            subject=f"{event_type.capitalize()} for vm/{machine}",
            summary=f"Task at the upload of chunk {seq}: {words}; the job tries it again at night",
            task_id=f"UPID:backup:00C123:{seq:08x}:vm-{machine}",
            actor="alice@polystack!backup-job",
            resource=f"ibs-{store:02d}:production/vm/{machine}",
            labels={"site": f"site-{store % 4}", "node": f"node-{machine % 16}"},
        )
        received = end - (count - seq) * (SPAN_DAYS * 86_400_000_000 // count)
        event.timestamp.FromMicroseconds(received)
        told = severity.value >= 4
        body = event.SerializeToString()
        yield (
            (
                seq,
                event.event_id,
                received,
                1,
                int(told),
                0,
                severity.value,
                event_type,
                resource,
                event.actor,
                event.task_id,
                None,
                body,
                b"",
                bit(State.READY) if told else 0,
            ),
            (
                seq,
                0,
                severity.value,
                1,
                "handed_off",
                "RULE_MATCHED",
                "",
                "",
                received,
                f"{seq:032x}",
                0,
                0,
                None,
            )
            if told
            else None,
        )


async def write_history(database: Database, count: int) -> None:
    """Fill an empty Router's database with ``count`` events of the last weeks."""
    # The first route of an empty database has the number 1.
    route = {"digest": "d", "group_name": "ops", "target_name": "chat"}
    route |= {"target_uid": "u", "subscription_uid": "s", "recipients": "[]"}
    await database.write(lambda c: c.execute(sa.insert(ROUTES).values(**route)))
    events: list[tuple[Any, ...]] = []
    obligations: list[tuple[Any, ...]] = []

    def flush(connection: sa.Connection) -> None:
        bulk_insert(EVENTS).run(connection, events)
        bulk_insert(OBLIGATIONS).run(connection, obligations)

    for event, obligation in rows(count, int(time.time() * 1e6)):
        events.append(event)
        if obligation is not None:
            obligations.append(obligation)
        if len(events) == _CHUNK:
            await database.write(flush)
            events.clear()
            obligations.clear()
    await database.write(flush)
    number = sa.update(SEQUENCE).where(SEQUENCE.c.name == "event").values(value=count)
    await database.write(lambda c: c.execute(number))
