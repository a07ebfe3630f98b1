"""Deduplication's memory in the database: windows by key. Plain SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.books import index_text
from ibs_notify.router.dedup import Window
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.memory import NO_STANDING, Key, Memory, Remembered, Standings, subject_of
from ibs_notify.router.pipeline import Arrival
from ibs_notify.router.silence import Armed
from ibs_notify.router.tables import EVENTS, WINDOWS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_replace

Row = sa.Row[*tuple[Any, ...]]
OPEN, CHANGED, IN_VAIN = 0, 1, 2
"""How a window stands: open, over by a change of its subject, or told to nobody."""
_CHUNK = 300
_SEVERITIES = {each.value: each for each in Severity}
_C = WINDOWS.c
_KEY = ("subject", "standing", "kind")
_COLUMNS = tuple(column.name for column in WINDOWS.columns)
_PUT = {
    dialect: Bulk(
        insert_or_replace(WINDOWS, dialect, key=_KEY, columns=_COLUMNS[len(_KEY) :]).values(
            {name: sa.bindparam(name) for name in _COLUMNS}
        ),
        _COLUMNS,
    )
    for dialect in ("sqlite", "postgresql")
}


def _end_windows(subject: sa.Column[int], *standing: sa.ColumnElement[bool]) -> sa.Update:
    return (
        sa.update(WINDOWS)
        .where(subject == sa.bindparam("of_subject"), *standing)
        .where(_C.closed == sa.literal_column(str(OPEN)))
        .values(closed=sa.literal_column(str(CHANGED)))
    )


def _below_and_above(subject: sa.Column[int], standing: sa.Column[int]) -> tuple[Bulk, Bulk]:
    """Two ranges instead of an inequality: only then do the databases seek.

    Otherwise they look through all windows of a subject, of which a storm may make thousands.
    """
    below = _end_windows(subject, standing < sa.bindparam("below"))
    above = _end_windows(
        subject, standing > sa.bindparam("above"), standing < sa.bindparam("limit")
    )
    return Bulk(below, ("of_subject", "below")), Bulk(above, ("of_subject", "above", "limit"))


_END = _below_and_above(_C.subject, _C.standing)
_END_KEYED = _below_and_above(_C.keyed_subject, _C.keyed_standing)
_ANY_KEYED = Bulk(
    sa.text("SELECT kind FROM router_windows WHERE keyed_subject IS NOT NULL LIMIT 1"), ()
)
_READ = sa.select(
    *(_C[name] for name in _COLUMNS), EVENTS.c.event_id, EVENTS.c.type, EVENTS.c.severity
).outerjoin(EVENTS, EVENTS.c.seq == _C.told_seq)
_ASKED = sa.func.json_each(sa.bindparam("keys")).table_valued("value")
# SQLite takes a list of keys for a reason to look through all windows, but a join it follows.
_READ_ASKED = Bulk(
    _READ.where(
        *(
            _C[name] == _ASKED.c.value.op("->>")(sa.literal_column(str(place)))
            for place, name in enumerate(_KEY)
        )
    ),
    ("keys",),
)


def read_memory(
    connection: sa.Connection, arrivals: Sequence[Arrival], silences: Sequence[Armed]
) -> Memory:
    """What the decisions on ``arrivals`` need to know, for those that are stored and for others."""
    keys = {key for each in arrivals for key in each.keys if key is not None}
    windows = read_windows(connection, keys) if keys else {}
    standings = read_standings(connection, (each.event for each in arrivals), windows)
    return Memory(windows, silences, standings)


def read_windows(connection: sa.Connection, keys: Collection[Key]) -> dict[Key, Remembered]:
    """Those of ``keys`` that there are."""
    if connection.dialect.name == "sqlite":
        rows = _READ_ASKED.fetch(connection, (json.dumps(sorted(keys)),))
    else:
        rows = [tuple(row) for row in _read_many(connection, sorted(keys))]
    return {Key(*row[:3]): _remembered(row) for row in rows}


def _read_many(connection: sa.Connection, keys: Sequence[Key]) -> Iterator[Row]:
    key = sa.tuple_(*(_C[name] for name in _KEY))
    for start in range(0, len(keys), _CHUNK):
        yield from connection.execute(_READ.where(key.in_(keys[start : start + _CHUNK])))


def _remembered(row: Sequence[Any]) -> Remembered:
    """Of a row of ``_READ``."""
    subject, standing, _, told_seq, position, opened_at, closed = row[:7]
    suppressed, since, keyed_subject, keyed_standing, event_id, event_type, severity = row[7:]
    # The event is gone where retention is shorter than a window; then it can be told again.
    in_vain = closed == IN_VAIN or event_id is None
    window = Window(
        opened_at=from_micros(opened_at),
        told="" if in_vain else obligation_id(event_id, position),
        type=event_type or "",
        severity=_SEVERITIES.get(severity, Severity.INFO),
        suppressed=suppressed,
        suppressed_since=None if since is None else from_micros(since),
    )
    return Remembered(
        window,
        told_seq,
        subject if keyed_subject is None else keyed_subject,
        standing if keyed_standing is None else keyed_standing,
        closed == CHANGED,
    )


def read_standings(
    connection: sa.Connection, events: Iterable[Event], windows: Mapping[Key, Remembered]
) -> dict[int, Standings]:
    """How the subjects of events with a ``dedup_key`` stood since something of theirs was told."""
    keyed = {subject_of(event): event for event in events if event.dedup_key}
    # Where nothing was told yet, it may be in this batch, which goes on from here.
    found: dict[int, Standings] = {subject: {} for subject in keyed}
    if not windows:
        return found
    since = min(each.told_seq for each in windows.values())
    for subject, event in sorted(keyed.items()):
        rows = connection.execute(
            sa.select(EVENTS.c.type, EVENTS.c.severity, sa.func.max(EVENTS.c.seq))
            .where(EVENTS.c.resource == index_text(event.canonical_resource), EVENTS.c.seq > since)
            .group_by(EVENTS.c.type, EVENTS.c.severity)
        )
        found[subject] = {
            (event_type, Severity(severity)): seq
            for event_type, severity, seq in rows
            if event_type.startswith(f"{event.source}.")
        }
    return found


def write_windows(connection: sa.Connection, memory: Memory) -> None:
    """End what the events changed, then write what they opened or added to."""
    changes = sorted(memory.changes)
    any_keyed = _ANY_KEYED.fetch(connection, ())
    for below, above in (_END, _END_KEYED) if any_keyed else (_END,):
        below.run(connection, [each[:2] for each in changes])
        above.run(connection, changes)
    rows = [_row(key, each) for key, each in sorted(memory.written.items())]
    _PUT[connection.dialect.name].run(connection, rows)


def _row(key: Key, each: Remembered) -> tuple[Any, ...]:
    window = each.window
    since = window.suppressed_since
    keyed = key.standing == NO_STANDING
    return (
        *key,
        each.told_seq,
        int(window.told.rpartition("/")[2]),
        to_micros(window.opened_at),
        CHANGED if each.changed else OPEN,
        window.suppressed,
        None if since is None else to_micros(since),
        each.subject if keyed else None,
        each.standing if keyed else None,
    )


def forget_told(connection: sa.Connection, told: Collection[tuple[int, int]]) -> None:
    """What these obligations told, by event and position, did not arrive.

    The next event of its kind is told again.
    """
    ordered = sorted(told)
    for start in range(0, len(ordered), _CHUNK):
        connection.execute(
            sa.update(WINDOWS)
            .where(sa.tuple_(_C.told_seq, _C.told_position).in_(ordered[start : start + _CHUNK]))
            .values(closed=sa.literal_column(str(IN_VAIN)))
        )


def windows_to_prune(
    connection: sa.Connection, now: datetime, longest: timedelta, most: int
) -> list[Key]:
    """Windows that can decide nothing any more: over, and with nothing left to tell of.

    Those that have something left to tell of are kept for ``longest`` × 10. At most ``most``.
    """
    over = sa.select(*(_C[name] for name in _KEY)).where(_is_over(now, longest)).limit(most)
    return [Key(*row) for row in connection.execute(over)]


def prune_windows(
    connection: sa.Connection, keys: Sequence[Key], now: datetime, longest: timedelta
) -> None:
    """Drop those of ``keys`` that still can decide nothing."""
    for key in keys:
        this = (_C[name] == value for name, value in zip(_KEY, key, strict=True))
        connection.execute(sa.delete(WINDOWS).where(*this, _is_over(now, longest)))


def _is_over(now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    over, forgotten = to_micros(now - longest), to_micros(now - longest * 10)
    return sa.or_(
        sa.and_(_C.opened_at < over, _C.suppressed == 0),
        _C.opened_at < forgotten,
    )
