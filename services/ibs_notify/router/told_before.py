"""Why a stored event was no repeat: what its subscriptions were told before it. Plain SQL.

Deduplication remembers only what was told last. So the events before it are read again, and the
same rules are asked anew; of what lies too far back nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.books import events_by_seq, index_text
from ibs_notify.router.dedup import DedupReason, Window, deduplicate, says_otherwise
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.explain_reads import follow
from ibs_notify.router.fingerprint import fingerprint
from ibs_notify.router.standing import Before
from ibs_notify.router.tables import EVENTS
from ibs_notify.router.views import event_record, state_of
from ibs_notify.rpc.convert import event_from_proto
from ironcore.notification.v1 import router_service_pb2 as pb

LOOKED_AT = 1_000
"""So many events of the same resource."""
OPENED = 50
"""So many of those of the same type, severity and actor, to see whether they are identical."""
_E = EVENTS.c

Row = sa.Row[*tuple[Any, ...]]


def told_before(
    connection: sa.Connection,
    event: Event,
    seq: int,
    received_at: datetime,
    windows: Mapping[str, timedelta],
) -> dict[str, Before]:
    """What the subscriptions, by uid with the length of their windows, were told before ``event``.

    Those of which it is not known are left out; all of them where a ``dedup_key`` decided, for
    events are not found by it.
    """
    if event.dedup_key or not windows:
        return {}
    earlier = _earlier(connection, event, seq)
    alike = [row.seq for row in earlier if _is_like(row, event)]
    records = _identical(connection, event, alike[:OPENED])
    is_all = len(earlier) < LOOKED_AT and len(alike) <= OPENED
    obligations = {uid: _told_of(records, uid) for uid in windows}
    told = follow(connection, {each for each in obligations.values() if each})
    found: dict[str, Before] = {}
    for uid, obligation in obligations.items():
        if not obligation:
            if is_all:
                found[uid] = Before(DedupReason.FIRST)
            continue
        before = told[obligation]
        if before.received_at is None:
            continue
        change = _change_since(earlier, event, before.event_id)
        verdict = deduplicate(
            Window(before.received_at, obligation, event.type, event.severity),
            windows[uid],
            event,
            "",
            changed=change is not None,
            now=received_at,
        )
        by = f"{change.event_id} ({change.type})" if change is not None else ""
        found[uid] = Before(verdict.reason, before, by)
    return found


def _earlier(connection: sa.Connection, event: Event, seq: int) -> Sequence[Row]:
    """The events of its resource before it, newest first."""
    return connection.execute(
        sa.select(_E.seq, _E.event_id, _E.type, _E.severity, _E.actor)
        .where(_E.resource == index_text(event.canonical_resource), _E.seq < seq)
        .order_by(_E.seq.desc())
        .limit(LOOKED_AT)
    ).all()


def _is_like(row: Row, event: Event) -> bool:
    wanted = (event.type, event.severity.value, index_text(event.actor))
    return (row.type, row.severity, row.actor) == wanted


def _identical(
    connection: sa.Connection, event: Event, seqs: Sequence[int]
) -> list[pb.EventRecord]:
    """Those of the events that are, newest first."""
    print_ = fingerprint(event)
    found = []
    for stored in events_by_seq(connection, seqs):
        record = event_record(stored)
        other, _ = event_from_proto(record.event, from_micros(stored.received_at))
        if fingerprint(other) == print_:
            found.append(record)
    return found


def _told_of(records: Iterable[pb.EventRecord], subscription_uid: str) -> str:
    """The obligation that told the subscription last, empty where none did."""
    for record in records:
        for each in record.dispositions:
            if each.subscription_uid != subscription_uid or each.reason == Reason.GATHERED:
                continue
            match state_of(each):
                case State.SILENCED:
                    pass
                case State.SUPPRESSED:
                    return each.pointer
                case State.READY | State.HANDED_OFF | State.COALESCED | State.COLLAPSED:
                    return each.obligation_id
    return ""


def _change_since(earlier: Sequence[Row], event: Event, told: str) -> Row | None:
    """The first event after the one that was told that says otherwise of the subject."""
    since = takewhile(lambda row: row.event_id != told, earlier)
    changes = [
        row
        for row in since
        if row.type.startswith(f"{event.source}.")
        and says_otherwise(event.type, event.severity, row.type, Severity(row.severity))
    ]
    return changes[-1] if changes else None
