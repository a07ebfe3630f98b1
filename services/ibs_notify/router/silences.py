"""Silences in the database, and those in force as of a transaction. Plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.router.silence import Armed, Silence, armed, has_text
from ibs_notify.router.tables import SEQUENCE, SILENCES
from ibs_notify.store.bulk import Bulk

_VERSION = "silences"
_C = SILENCES.c
_ROWS_AT_A_TIME = 500


class SilenceBook:
    """Knows the silences; looks at their version in each transaction, and reads them anew when it

    moved. So a silence made on another replica holds for the next event here.
    """

    def __init__(self) -> None:
        self._known: tuple[int, Sequence[Armed]] = (-1, ())

    def not_over(self, connection: sa.Connection, now: datetime) -> Sequence[Armed]:
        """Those that hold at ``now`` or may later, ready to be asked."""
        version = _READ_VERSION.scalar(connection, (_VERSION,))
        known, silences = self._known
        if version != known:
            rows = connection.execute(sa.select(SILENCES).where(_not_over(now)))
            silences = armed(_silence(row) for row in rows)
            self._known = version, silences
        return silences


_READ_VERSION = Bulk(
    sa.select(SEQUENCE.c.value).where(SEQUENCE.c.name == sa.bindparam("sequence")), ("sequence",)
)


def _not_over(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_C.ends_at.is_(None), _C.ends_at > to_micros(now))


def insert_silence(connection: sa.Connection, silence: Silence) -> Silence:
    """Keep a new one, under an id that it gets here and that people can type."""
    silence = replace(silence, silence_id=f"sil-{_move_version(connection)}")
    connection.execute(
        sa.insert(SILENCES).values(
            silence_id=silence.silence_id,
            rule=silence.rule,
            starts_at=to_micros(silence.start),
            ends_at=None if silence.end is None else to_micros(silence.end),
            weekly=silence.weekly,
            time_zone=silence.time_zone,
            comment=silence.comment,
            author=silence.author,
            created_at=to_micros(silence.created_at),
        )
    )
    return silence


def expire_silence(
    connection: sa.Connection, silence_id: str, now: datetime
) -> tuple[Silence, Silence] | None:
    """End one now, if it has not ended: as it was, and as it is. ``None`` where there is none."""
    # First of all, so that of two who end it at once the second finds it ended.
    _move_version(connection)
    former = find_silence(connection, silence_id)
    if former is None:
        return None
    if former.end is not None and former.end <= now:
        return former, former
    connection.execute(
        sa.update(SILENCES).where(_C.silence_id == silence_id).values(ends_at=to_micros(now))
    )
    return former, replace(former, end=now)


def find_silence(connection: sa.Connection, silence_id: str) -> Silence | None:
    """The one of that id."""
    row = connection.execute(sa.select(SILENCES).where(_C.silence_id == silence_id)).one_or_none()
    return None if row is None else _silence(row)


def list_silences(
    connection: sa.Connection,
    now: datetime,
    *,
    include_expired: bool,
    before: tuple[int, str] | None,
    limit: int,
    text: str = "",
) -> list[Silence]:
    """Newest first; with ``text`` in them, made before the moment and the id of ``before``."""
    statement = sa.select(SILENCES).order_by(_C.created_at.desc(), _C.silence_id.desc())
    if not include_expired:
        statement = statement.where(_not_over(now))
    if before is not None:
        created_at, silence_id = before
        statement = statement.where(
            sa.or_(
                _C.created_at < created_at,
                sa.and_(_C.created_at == created_at, _C.silence_id < silence_id),
            )
        )
    if not text:
        return [_silence(row) for row in connection.execute(statement.limit(limit))]
    # Not by the database: SQLite knows the case of ASCII only.
    options = {"yield_per": _ROWS_AT_A_TIME}
    with connection.execute(statement, execution_options=options) as rows:
        wanted = (each for each in map(_silence, rows) if has_text(each, text))
        return list(islice(wanted, limit))


def _silence(row: sa.Row[tuple[Any, ...]]) -> Silence:
    return Silence(
        silence_id=row.silence_id,
        rule=row.rule,
        start=from_micros(row.starts_at),
        end=None if row.ends_at is None else from_micros(row.ends_at),
        weekly=row.weekly,
        time_zone=row.time_zone,
        comment=row.comment,
        author=row.author,
        created_at=from_micros(row.created_at),
    )


def _move_version(connection: sa.Connection) -> int:
    """The new version. It only grows, so it also numbers the silences."""
    moved = (
        sa.update(SEQUENCE)
        .where(SEQUENCE.c.name == _VERSION)
        .values(value=SEQUENCE.c.value + 1)
        .returning(SEQUENCE.c.value)
    )
    return int(connection.execute(moved).scalar_one())
