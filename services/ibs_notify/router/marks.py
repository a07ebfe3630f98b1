"""The marks of the inbox in the database: each user's lines, and what differs from them.

Every function takes a connection inside a transaction that its caller commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from ibs_notify.router.lines import Lines, Mark
from ibs_notify.router.tables import EVENTS, MARKS, READERS
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_replace

MOST_WRITTEN = 500
"""So many marks at most are changed in one transaction."""
_M, _R = MARKS.c, READERS.c
_KEY = ("user_name", "event_seq")
_PUT = {
    dialect: Bulk(
        insert_or_replace(MARKS, dialect, key=_KEY, columns=("state",)).values(
            {name: sa.bindparam(name) for name in (*_KEY, "state")}
        ),
        (*_KEY, "state"),
    )
    for dialect in ("sqlite", "postgresql")
}


def lines_of(connection: sa.Connection, user: str) -> Lines:
    """The lines of ``user``; those of somebody new are at the beginning."""
    row = connection.execute(
        sa.select(_R.read_through, _R.archived_through).where(_R.user_name == user)
    ).one_or_none()
    return Lines() if row is None else Lines(row.read_through, row.archived_through)


def marks_of(connection: sa.Connection, user: str, seqs: Sequence[int]) -> Mapping[int, Mark]:
    """How ``user`` has marked each of the events."""
    lines = lines_of(connection, user)
    rows = connection.execute(
        sa.select(_M.event_seq, _M.state).where(_M.user_name == user, _M.event_seq.in_(seqs))
    )
    own = {seq: Mark(state) for seq, state in rows}
    return {seq: own.get(seq) or lines.mark_of(seq) for seq in seqs}


def between(user: str, first: int, last: int) -> sa.ColumnElement[bool]:
    """The marks of ``user`` on the events of these numbers, inclusive."""
    return sa.and_(_M.user_name == user, _M.event_seq.between(first, last))


def has_read_nothing(connection: sa.Connection, user: str) -> bool:
    """Whether every event is unread for ``user``, as for somebody new."""
    any_mark = sa.select(_M.event_seq).where(_M.user_name == user).limit(1)
    return lines_of(connection, user) == Lines() and connection.execute(any_mark).first() is None


def has_marks(
    connection: sa.Connection, user: str, first: int, last: int, states: Collection[Mark]
) -> bool:
    """Whether ``user`` has marked any of these events as one of ``states``."""
    found = sa.select(_M.event_seq).where(between(user, first, last), _M.state.in_(states)).limit(1)
    return connection.execute(found).first() is not None


def has_more_marks(connection: sa.Connection, user: str, first: int, last: int, most: int) -> bool:
    """Whether ``user`` has more than ``most`` marks on these events."""
    found = sa.select(_M.event_seq).where(between(user, first, last)).offset(most).limit(1)
    return connection.execute(found).first() is not None


def count_marks(connection: sa.Connection, user: str, first: int, last: int) -> Counter[Mark]:
    """How many of these events ``user`` has marked as what."""
    rows = connection.execute(
        sa.select(_M.state, sa.func.count()).where(between(user, first, last)).group_by(_M.state)
    )
    return Counter({Mark(state): count for state, count in rows})


def count_by_severity(
    connection: sa.Connection, user: str, first: int, last: int
) -> Counter[tuple[int, Mark]]:
    """The same, by severity too."""
    rows = connection.execute(
        sa.select(EVENTS.c.severity, _M.state, sa.func.count())
        .join_from(MARKS, EVENTS, EVENTS.c.seq == _M.event_seq)
        .where(between(user, first, last))
        .group_by(EVENTS.c.severity, _M.state)
    )
    return Counter({(severity, Mark(state)): count for severity, state, count in rows})


def put_marks(connection: sa.Connection, user: str, seqs: Sequence[int], mark: Mark) -> None:
    """Mark the events, at most ``MOST_WRITTEN``; a mark that says no more than a line is none."""
    lines = _known(connection, user)
    rows = [(user, seq, mark.value) for seq in sorted(seqs) if lines.mark_of(seq) is not mark]
    _PUT[connection.dialect.name].run(connection, rows)
    _remove(connection, user, [seq for seq in seqs if lines.mark_of(seq) is mark])


def put_lines(connection: sa.Connection, user: str, lines: Lines) -> None:
    """Move the lines; marks stay as they are."""
    put = insert_or_replace(
        READERS,
        connection.dialect.name,
        key=("user_name",),
        columns=("read_through", "archived_through"),
    )
    connection.execute(
        put.values(
            user_name=user,
            read_through=lines.read_through,
            archived_through=lines.archived_through,
        )
    )


def marks_between(
    connection: sa.Connection, user: str, events: range, states: Collection[Mark]
) -> Sequence[int]:
    """The first ``MOST_WRITTEN`` of ``events`` that ``user`` has marked as one of ``states``."""
    return list(
        connection.execute(
            sa.select(_M.event_seq)
            .where(between(user, events.start, events.stop - 1), _M.state.in_(states))
            .order_by(_M.event_seq)
            .limit(MOST_WRITTEN)
        ).scalars()
    )


def remove_orphans(connection: sa.Connection, through: int) -> int:
    """Forget marks on events up to ``through`` that are gone, some of each user; how many."""
    gone = 0
    for user in connection.execute(sa.select(_R.user_name)).scalars().all():
        seqs = connection.execute(
            sa.select(_M.event_seq)
            .where(between(user, 0, through), ~sa.exists().where(EVENTS.c.seq == _M.event_seq))
            .limit(MOST_WRITTEN)
        )
        orphans = list(seqs.scalars())
        _remove(connection, user, orphans)
        gone += len(orphans)
    return gone


def _known(connection: sa.Connection, user: str) -> Lines:
    """The lines of ``user``, who has some from now on: whoever has marks is found by them."""
    lines = lines_of(connection, user)
    if lines == Lines():
        put_lines(connection, user, lines)
    return lines


def _remove(connection: sa.Connection, user: str, seqs: Sequence[int]) -> None:
    if seqs:
        connection.execute(sa.delete(MARKS).where(_M.user_name == user, _M.event_seq.in_(seqs)))
