"""The windows of digests in the database. Plain SQL, inside transactions that the caller commits.

A window is closed first, so that it gathers no more; its digest is made beside the writer, from
what it holds; then it is cut: the digest is stored, and what it is made of is part of it. Each step
changes a window only from the state before, so that none is made twice, by whichever replica.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.digests.windows import CloseReason, Stream, Window, WindowState
from ibs_notify.delivery.model import Kind, Membership, State
from ibs_notify.delivery.queue.rows import Row, moment
from ibs_notify.delivery.tables import DELIVERIES, WINDOWS
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.store.upsert import insert_or_ignore

_RACE_TRIES = 5
_C, _W = DELIVERIES.c, WINDOWS.c
# Written out, not bound: only then do the databases use the partial indexes.
_IS_GATHERED = sa.text("delivery_deliveries.state = 5")
_IS_OPEN = sa.text("delivery_digest_windows.state = 1")
_IS_UNFINISHED = sa.text("delivery_digest_windows.state < 4")
LOOK_BACK = timedelta(days=10)
"""A close of longer ago cannot come again, wherever the window's time and zone are moved: the last
one of a week may be seven days old."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a window holds: a delivery that is not sent by itself. ``body`` is its event."""

    seq: int
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """When an open window is to be looked at, since when it counts as opened, and how often its
    group has it.
    """

    seq: int
    due_at: datetime | None
    opened_at: datetime
    period: str


# Gathering


def join(
    connection: sa.Connection, streams: Mapping[Stream, tuple[str, int]], now: datetime
) -> dict[Stream, int]:
    """The open window of each stream, which stays open until the caller commits.

    The values are the target's name and the revision that opens a window where there is none.
    """
    return {
        stream: _join(connection, stream, *streams[stream], now)
        for stream in sorted(streams, key=_order)
    }


def _order(stream: Stream) -> tuple[str, ...]:
    """Replicas lock in the same order, so that they do not lock each other out."""
    return (stream.kind.name, stream.group, stream.target_uid, stream.audience)


def _join(
    connection: sa.Connection, stream: Stream, target: str, revision: int, now: datetime
) -> int:
    find = sa.select(_W.seq).where(_IS_OPEN, *_is_of(stream)).with_for_update(read=True)
    for _ in range(_RACE_TRIES):
        seq = connection.execute(find).scalar()
        if seq is not None:
            return int(seq)
        open_window(connection, stream, target, revision, now)
    raise AssertionError(f"the windows of group {stream.group} are closed as fast as they open")


def open_window(
    connection: sa.Connection, stream: Stream, target: str, revision: int, now: datetime
) -> None:
    """Open a window for a stream that has none open."""
    connection.execute(
        insert_or_ignore(WINDOWS, connection.dialect.name).values(
            kind=stream.kind.value,
            group_name=stream.group,
            target_uid=stream.target_uid,
            audience=stream.audience,
            target_name=target,
            recipients=json.dumps(stream.recipients),
            revision=revision,
            opened_at=to_micros(now),
            state=WindowState.OPEN.value,
            due_at=None,
            reason="",
            period=None,
            name=None,
            closed_at=None,
            event_count=0,
            delivery_id="",
        )
    )


def still_gathering(connection: sa.Connection, seqs: Collection[int]) -> set[int]:
    """Those of the windows that are open, and stay so until the caller commits."""
    statement = sa.select(_W.seq).where(_IS_OPEN, _W.seq.in_(sorted(seqs))).order_by(_W.seq)
    return set(connection.execute(statement.with_for_update(read=True)).scalars())


# Closing


def attention(connection: sa.Connection, now: datetime, *, all_open: bool) -> list[Window]:
    """The windows that there is something to do with: open and due, or closed and not finished.

    ``all_open``: also those that are not due.
    """
    statement = sa.select(WINDOWS).where(_IS_UNFINISHED).order_by(_W.seq)
    if not all_open:
        moment_now = to_micros(now)
        is_due = sa.or_(_W.due_at.is_(None), _W.due_at <= moment_now, _W.opened_at > moment_now)
        statement = statement.where(sa.or_(_W.state > WindowState.OPEN.value, is_due))
    return [_window(row) for row in connection.execute(statement)]


def names_taken(
    connection: sa.Connection, windows: Iterable[Window], now: datetime
) -> dict[int, frozenset[str]]:
    """For each window the names of the closes that its stream has had lately, or is to have."""
    since = f"{now - LOOK_BACK:%Y-%m-%d}"
    taken: dict[int, frozenset[str]] = {}
    for window in windows:
        statement = sa.select(_W.name).where(
            *_is_of(window.stream), _W.reason == CloseReason.SCHEDULED.value, _W.name >= since
        )
        taken[window.seq] = frozenset(connection.execute(statement).scalars())
    return taken


def plan(connection: sa.Connection, plans: Sequence[Plan]) -> None:
    """Note when open windows are to be looked at."""
    if plans:
        statement = (
            sa.update(WINDOWS)
            .where(_W.seq == sa.bindparam("of"), _W.state == WindowState.OPEN.value)
            .values(
                due_at=sa.bindparam("due"),
                opened_at=sa.bindparam("opened"),
                period=sa.bindparam("every"),
            )
        )
        connection.execute(
            statement,
            [
                {
                    "of": each.seq,
                    "due": None if each.due_at is None else to_micros(each.due_at),
                    "opened": to_micros(each.opened_at),
                    "every": each.period,
                }
                for each in plans
            ],
        )


def close(
    connection: sa.Connection,
    window: Window,
    reason: CloseReason,
    now: datetime,
    *,
    period: str,
    name: str,
) -> bool:
    """Let an open window gather no more; false where somebody else has closed it."""
    return bool(
        connection.execute(
            sa.update(WINDOWS)
            .where(_W.seq == window.seq, _W.state == WindowState.OPEN.value)
            .values(
                state=WindowState.CLOSING.value,
                reason=reason.value,
                period=period,
                name=name,
                closed_at=to_micros(now),
            )
        ).rowcount
    )


def entries(connection: sa.Connection, window_seq: int, after: int, most: int) -> list[Entry]:
    """Up to ``most`` of what a window holds, in order of ``seq``, behind ``after``."""
    statement = (
        sa.select(_C.seq, _C.body, _C.created_at)
        .where(_C.window_seq == window_seq, _IS_GATHERED, _C.seq > after)
        .order_by(_C.seq)
        .limit(most)
    )
    return [
        Entry(row.seq, row.body, from_micros(row.created_at))
        for row in connection.execute(statement)
    ]


def note_cut(
    connection: sa.Connection, window_seq: int, event_count: int, delivery_id: str
) -> bool:
    """Its digest is stored in this transaction; false where somebody else has stored it."""
    return bool(
        connection.execute(
            sa.update(WINDOWS)
            .where(_W.seq == window_seq, _W.state == WindowState.CLOSING.value)
            .values(state=WindowState.CUT.value, event_count=event_count, delivery_id=delivery_id)
        ).rowcount
    )


def mark(connection: sa.Connection, window_seq: int, now: datetime, most: int) -> bool:
    """Mark up to ``most`` entries of a window that is cut; whether none is left."""
    held = (_C.window_seq == window_seq, _IS_GATHERED)
    some = sa.select(_C.seq).where(*held).limit(most)
    connection.execute(
        sa.update(DELIVERIES)
        # Asked again, since one that is just being cancelled stays so.
        .where(_C.seq.in_(some), _IS_GATHERED)
        .values(state=State.DIGESTED.value, closed_at=to_micros(now))
    )
    if connection.execute(sa.select(_C.seq).where(*held).limit(1)).first() is not None:
        return False
    connection.execute(
        sa.update(WINDOWS)
        .where(_W.seq == window_seq, _W.state == WindowState.CUT.value)
        .values(state=WindowState.CLOSED.value)
    )
    return True


# Looking


def find(connection: sa.Connection, seq: int) -> Window | None:
    """The window of that number."""
    row = connection.execute(sa.select(WINDOWS).where(_W.seq == seq)).one_or_none()
    return None if row is None else _window(row)


def last_close(connection: sa.Connection, window: Window) -> datetime | None:
    """When the last window before this one was closed, in its stream, that told anything."""
    is_told = sa.or_(_W.state < WindowState.CUT.value, _W.delivery_id != "")
    statement = sa.select(sa.func.max(_W.closed_at)).where(
        *_is_of(window.stream), _W.seq < window.seq, is_told
    )
    return moment(connection.execute(statement).scalar())


def page(
    connection: sa.Connection,
    group: str,
    before: int | None,
    most: int,
    *,
    open_only: bool,
    seq: int | None = None,
) -> list[tuple[Window, int]]:
    """Up to ``most`` windows, newest first, each with how many events it holds or held.

    ``seq``: only the one of that number.
    """
    statement = sa.select(WINDOWS).order_by(_W.seq.desc()).limit(most)
    if group:
        statement = statement.where(_W.group_name == group)
    if before is not None:
        statement = statement.where(_W.seq < before)
    if open_only:
        statement = statement.where(_IS_UNFINISHED)
    if seq is not None:
        statement = statement.where(_W.seq == seq)
    windows = [_window(row) for row in connection.execute(statement)]
    return [(each, count(connection, each)) for each in windows]


def memberships(connection: sa.Connection, seqs: Collection[int]) -> dict[int, Membership]:
    """By window, what an entry of it belongs to."""
    found: dict[int, Membership] = {}
    if not seqs:
        return found
    statement = (
        sa.select(_W.seq, _W.state, _W.due_at, _W.delivery_id, _C.state.label("is_now"), _C.reason)
        .select_from(
            WINDOWS.outerjoin(
                DELIVERIES, sa.and_(_W.delivery_id != "", _C.delivery_id == _W.delivery_id)
            )
        )
        .where(_W.seq.in_(sorted(seqs)))
    )
    for row in connection.execute(statement):
        is_open = row.state == WindowState.OPEN
        found[row.seq] = Membership(
            f"dig-{row.seq}",
            moment(row.due_at) if is_open else None,
            row.delivery_id,
            None if row.is_now is None else State(row.is_now),
            row.reason or "",
        )
    return found


def count(connection: sa.Connection, window: Window) -> int:
    """How many events a window holds or, once its digest is made, held."""
    if window.state >= WindowState.CUT:
        return window.event_count
    held = sa.select(sa.func.count()).where(_C.window_seq == window.seq, _IS_GATHERED)
    return int(connection.execute(held).scalar_one())


def _is_of(stream: Stream) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _W.kind == stream.kind.value,
        _W.group_name == stream.group,
        _W.target_uid == stream.target_uid,
        _W.audience == stream.audience,
    )


def _window(row: Row | sa.Row[Any]) -> Window:
    return Window(
        seq=row.seq,
        stream=Stream(
            Kind(row.kind), row.group_name, row.target_uid, tuple(json.loads(row.recipients))
        ),
        target=row.target_name,
        revision=row.revision,
        opened_at=from_micros(row.opened_at),
        state=WindowState(row.state),
        due_at=moment(row.due_at),
        reason=row.reason,
        period=row.period or "",
        name=row.name or "",
        closed_at=moment(row.closed_at),
        event_count=row.event_count,
        delivery_id=row.delivery_id,
    )
