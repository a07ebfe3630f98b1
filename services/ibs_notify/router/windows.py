"""Deduplication's memory in the database: windows by key. Plain SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.router.dedup import Window
from ibs_notify.router.memory import (
    BEYOND,
    STATEFUL,
    Memory,
    Remembered,
    parse_standing,
    standing_of,
)
from ibs_notify.router.tables import WINDOWS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_replace

_CHUNK = 500
_C = WINDOWS.c
_COLUMNS = tuple(column.name for column in WINDOWS.columns)
_PUT = {
    dialect: Bulk(
        insert_or_replace(WINDOWS, dialect, key="window_key", columns=_COLUMNS[1:]).values(
            {name: sa.bindparam(name) for name in _COLUMNS}
        ),
        _COLUMNS,
    )
    for dialect in ("sqlite", "postgresql")
}
# Two ranges instead of an inequality: only then do the databases seek instead of looking through
# all windows of a subject, of which a storm may make thousands.
_CLOSE = Bulk(
    sa.update(WINDOWS)
    .where(
        sa.text("closed = 0"),
        _C.subject == sa.bindparam("of_subject"),
        sa.or_(
            _C.standing < sa.bindparam("below"),
            sa.and_(_C.standing > sa.bindparam("above"), _C.standing < sa.bindparam("beyond")),
        ),
    )
    .values(closed=sa.literal_column("1")),
    ("of_subject", "below", "above", "beyond"),
)


def read_windows(connection: sa.Connection, keys: Iterable[bytes]) -> dict[bytes, Remembered]:
    """Those of ``keys`` that there are."""
    ordered = sorted(keys)
    found: dict[bytes, Remembered] = {}
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        for row in connection.execute(sa.select(WINDOWS).where(_C.window_key.in_(chunk))):
            found[bytes(row.window_key)] = _remembered(row)
    return found


def _remembered(row: sa.Row[tuple[Any, ...]]) -> Remembered:
    event_type, severity = parse_standing(row.standing)
    window = Window(
        opened_at=from_micros(row.opened_at),
        told=row.told,
        type=event_type,
        severity=severity,
        suppressed=row.suppressed,
        suppressed_since=None
        if row.suppressed_since is None
        else from_micros(row.suppressed_since),
    )
    return Remembered(window, row.subject, bool(row.closed))


def write_windows(connection: sa.Connection, memory: Memory) -> None:
    """Close what the events changed, then write what they opened or added to."""
    changes = [
        (each.subject, each.standing, each.standing, STATEFUL if each.is_neutral else BEYOND)
        for each in memory.changes
    ]
    _CLOSE.run(connection, sorted(changes))
    rows = [_row(key, each) for key, each in sorted(memory.written.items())]
    _PUT[connection.dialect.name].run(connection, rows)


def _row(key: bytes, each: Remembered) -> tuple[Any, ...]:
    window = each.window
    since = window.suppressed_since
    return (
        key,
        each.subject,
        standing_of(window.type, window.severity),
        to_micros(window.opened_at),
        window.told,
        int(each.changed),
        window.suppressed,
        None if since is None else to_micros(since),
    )


def forget_told(connection: sa.Connection, told: Sequence[str]) -> None:
    """What these obligations told did not arrive: the next of its kind is told again."""
    for start in range(0, len(told), _CHUNK):
        connection.execute(
            sa.update(WINDOWS).where(_C.told.in_(told[start : start + _CHUNK])).values(told="")
        )


def prune_windows(connection: sa.Connection, now: datetime, longest: timedelta) -> int:
    """Drop windows that can decide nothing any more: over, and with nothing left to tell of.

    Those that have something left to tell of are kept for ``longest`` × 10. Returns how many went.
    """
    over, forgotten = to_micros(now - longest), to_micros(now - longest * 10)
    return connection.execute(
        sa.delete(WINDOWS).where(
            sa.or_(
                sa.and_(_C.opened_at < over, _C.suppressed == 0),
                _C.opened_at < forgotten,
            )
        )
    ).rowcount
