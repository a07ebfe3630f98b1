"""The journal for the Router: deaths, cancellations, and targets that fail, recover or pause.

It is numbered in the order of commit.

Every function takes a connection inside a transaction that its caller commits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ibs_notify.delivery.model import DeliveryRecord, TargetTurn
from ibs_notify.delivery.queue.rows import RECORD_COLUMNS, Row, moment, record_of
from ibs_notify.delivery.tables import DELIVERIES, OUTCOMES, SEQUENCE
from ibs_notify.delivery.targets.breaker import Turning
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.errors import OutOfRange, Reason

KEPT = timedelta(days=30)
MOST_PRUNED = 10_000
"""So many entries at most are removed in one transaction."""
_CHUNK = 500
_D, _O = DELIVERIES.c, OUTCOMES.c
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Place:
    """An entry by its number and, in microseconds, the end that it tells of.

    The moment gives away a place of another database, or of this one before it was restored.
    """

    number: int
    closed_at: int

    @property
    def cursor(self) -> str:
        """As clients keep it."""
        return f"{self.number}-{self.closed_at}"


BEGINNING = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """``what`` is the delivery as it ended then, without attempts, or a target that turned."""

    place: Place
    what: DeliveryRecord | TargetTurn


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in order, without those of deliveries that are kept no more.

    ``place`` is where to go on; ``is_last``: nothing is behind it yet.
    """

    entries: tuple[Entry, ...]
    place: Place
    is_last: bool


def note_ended(connection: sa.Connection, seqs: Collection[int]) -> None:
    """See ``note``."""
    note(connection, seqs, ())


def note(connection: sa.Connection, seqs: Collection[int], turns: Sequence[TargetTurn]) -> None:
    """Enter deliveries that this transaction closed as dead or cancelled, and targets that turned.

    To be called last: whoever enters holds the sequence until the commit, and must not wait for
    other rows meanwhile.
    """
    count = len(seqs) + len(turns)
    if not count:
        return
    ordered = sorted(seqs)
    last: int = connection.execute(_TAKE_NUMBERS, {"count": count}).scalar_one()
    number = last - count
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        connection.execute(_ENTER, {"before": number + start, "seqs": chunk})
    first = number + len(ordered) + 1
    for place, turn in enumerate(turns, start=first):
        connection.execute(sa.insert(OUTCOMES).values(_row_of(place, turn)))


def place_of(cursor: str) -> Place:
    """The place of a cursor; ``OutOfRange`` for what is no cursor of ours."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise _expired()
    return Place(int(found[1]), int(found[2]))


def page_after(connection: sa.Connection, place: Place | None, most: int) -> Page:
    """Up to ``most`` entries behind ``place``; ``None``: from the oldest that is kept.

    ``OutOfRange`` where entries behind ``place`` are kept no more, or it is none of this journal.
    """
    if place is not None:
        _require_kept(connection, place)
    after = place or BEGINNING
    rows = connection.execute(_PAGE, {"after": after.number, "most": most}).all()
    entries = tuple(
        Entry(Place(row.number, row.closed_at), _what(row))
        for row in rows
        if row.seq is not None or row.turning
    )
    if len(rows) < most:
        return Page(entries, newest(connection) or after, is_last=True)
    return Page(entries, Place(rows[-1].number, rows[-1].closed_at), is_last=False)


def newest(connection: sa.Connection) -> Place | None:
    """The last entry; ``None`` where there never was one."""
    row = connection.execute(_NEWEST).one_or_none()
    return None if row is None else Place(row.number, row.closed_at)


def prune(connection: sa.Connection, now: datetime) -> int:
    """Remove the oldest entries up to the first of the last ``KEPT``; how many.

    The newest one stays whatever its age: it is the place of whoever has seen all.
    """
    last = newest(connection)
    if last is None:
        return 0
    first_kept = connection.execute(_FIRST_SINCE, {"since": to_micros(now - KEPT)}).scalar()
    oldest = connection.execute(_OLDEST).scalar_one()
    end = min(last.number if first_kept is None else first_kept, oldest + MOST_PRUNED)
    return connection.execute(sa.delete(OUTCOMES).where(_O.number < end)).rowcount


def _row_of(number: int, turn: TargetTurn) -> dict[str, object]:
    return {
        "number": number,
        "delivery_id": "",
        "state": 0,
        "reason": turn.reason,
        "detail": turn.detail,
        "closed_at": to_micros(turn.at),
        "turning": turn.turning.value,
        "target_uid": turn.target_uid,
        "since": to_micros(turn.since),
    }


def _what(row: Row) -> DeliveryRecord | TargetTurn:
    if row.turning:
        at = from_micros(row.closed_at)
        since = moment(row.since) or at
        return TargetTurn(row.turned_uid, Turning(row.turning), at, since, row.reason, row.detail)
    return record_of(row)


def _require_kept(connection: sa.Connection, place: Place) -> None:
    if place == BEGINNING:
        is_kept = connection.execute(_OLDEST).scalar() in (None, 1)
    else:
        statement = sa.select(_O.closed_at).where(_O.number == place.number)
        is_kept = connection.execute(statement).scalar() == place.closed_at
    if not is_kept:
        raise _expired()


def _expired() -> OutOfRange:
    return OutOfRange(
        Reason.RESUME_TOKEN_EXPIRED,
        "the cursor is not, or no longer, a place in the journal of outcomes",
        advice="watch again without a cursor to get all that is kept",
    )


_TAKE_NUMBERS = (
    sa.update(SEQUENCE)
    .where(SEQUENCE.c.name == "outcome")
    .values(value=SEQUENCE.c.value + sa.bindparam("count", type_=sa.BigInteger))
    .returning(SEQUENCE.c.value)
)
_ENTER = sa.insert(OUTCOMES).from_select(
    [column.name for column in OUTCOMES.columns],
    sa.select(
        sa.bindparam("before", type_=sa.BigInteger) + sa.func.row_number().over(order_by=_D.seq),
        _D.delivery_id,
        _D.state,
        _D.reason,
        _D.detail,
        _D.closed_at,
        sa.null(),
        sa.null(),
        sa.null(),
    ).where(_D.seq.in_(sa.bindparam("seqs", expanding=True))),
)
_OF_THAT_END = {each.name: each for each in (_O.state, _O.reason, _O.detail, _O.closed_at)}
_PAGE = (
    sa.select(
        _O.number,
        _O.turning,
        _O.target_uid.label("turned_uid"),
        _O.since,
        *(_OF_THAT_END.get(each.name, each) for each in RECORD_COLUMNS),
    )
    .outerjoin_from(OUTCOMES, DELIVERIES, _D.delivery_id == _O.delivery_id)
    .where(_O.number > sa.bindparam("after", type_=sa.BigInteger))
    .order_by(_O.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_NEWEST = sa.select(_O.number, _O.closed_at).order_by(_O.number.desc()).limit(1)
_OLDEST = sa.select(_O.number).order_by(_O.number).limit(1)
_FIRST_SINCE = (
    sa.select(_O.number)
    .where(_O.closed_at >= sa.bindparam("since", type_=sa.BigInteger))
    .order_by(_O.number)
    .limit(1)
)
