"""The breakers on the database: one for each target, for all replicas and over restarts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.model import Completion, TargetTurn
from ibs_notify.delivery.queue.rows import moment
from ibs_notify.delivery.tables import BREAKERS
from ibs_notify.delivery.targets import breaker as breakers
from ibs_notify.delivery.targets.breaker import Breaker, Phase, Seen, Sign, Turning
from ibs_notify.domain.clock import to_micros
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore
from ibs_notify.store.value_list import is_among, listed

log = logging.getLogger(__name__)

_B = BREAKERS.c
_NAMES = tuple(column.name for column in BREAKERS.columns)
CLOSED = Breaker()
_ALARMING = (Sign.FAILS, Sign.IS_GONE)


class Panel:
    """The breakers of ``uids``, locked until the transaction ends. To be made first of all that the

    transaction locks, so that no two of them wait for each other.
    """

    def __init__(self, connection: sa.Connection, uids: Iterable[str], now: datetime) -> None:
        self._connection = connection
        self.now = now
        self._breakers = _locked(connection, uids)
        self.turns: list[TargetTurn] = []
        """The news so far."""

    def breaker(self, uid: str) -> Breaker:
        """That of a target, as it stands now."""
        return self._breakers.get(uid, CLOSED)

    def see(self, done: Sequence[Completion]) -> None:
        """Attempts ended: let the breakers of their targets judge by it.

        What goes well where all is well, which is nearly everything, is passed over.
        """
        judged = {uid for uid, breaker in self._breakers.items() if not _is_well(breaker)}
        judged.update(
            each.work.target_uid
            for each in done
            if each.end is not None and each.end.sign in _ALARMING
        )
        if not judged:
            return
        ended = sorted(
            (each for each in done if each.end is not None and each.work.target_uid in judged),
            key=lambda each: each.work.target_uid,
        )
        for uid, group in groupby(ended, key=lambda each: each.work.target_uid):
            last = list(group)
            after = self._judged(uid, last)
            if after != self.breaker(uid) and uid not in self._breakers:
                _make(self._connection, uid)
                # A replica may have been faster.
                self._breakers |= _locked(self._connection, (uid,))
                after = self._judged(uid, last)
            self.put(uid, after, _reply_of(last))

    def put(self, uid: str, after: Breaker, detail: str = "") -> None:
        """The breaker stands so from now on."""
        before = self.breaker(uid)
        if after == before:
            return
        self._breakers[uid] = after
        keep(self._connection, uid, after)
        turning = breakers.turning(before, after)
        if turning is not None:
            self._note(uid, turning, before, after, detail)

    def _judged(self, uid: str, ended: Sequence[Completion]) -> Breaker:
        breaker = self.breaker(uid)
        for each in ended:
            if each.end is not None:
                seen = Seen(
                    each.end.sign,
                    each.end.reason,
                    each.work.epoch,
                    each.target_revision,
                    each.end.retry_after,
                )
                breaker = breakers.after(breaker, seen, self.now)
        return breaker

    def _note(
        self, uid: str, turning: Turning, before: Breaker, after: Breaker, detail: str
    ) -> None:
        trouble = before if turning is Turning.RECOVERED else after
        since = trouble.since or self.now
        self.turns.append(TargetTurn(uid, turning, self.now, since, trouble.reason, detail))
        level = logging.INFO if turning is Turning.RECOVERED else logging.WARNING
        log.log(level, "target %s: %s (%s)", uid, turning, trouble.reason)


def troubled(connection: sa.Connection) -> Mapping[str, Breaker]:
    """See ``ports.Queue.troubled``."""
    rows = connection.execute(sa.select(BREAKERS).where(_B.phase != Phase.CLOSED.value))
    return {row.target_uid: _breaker_of(row) for row in rows}


def of(connection: sa.Connection, uids: Collection[str]) -> Mapping[str, Breaker]:
    """The breakers of targets, to be looked at; one that is not there is ``CLOSED``."""
    dialect = connection.dialect.name
    statement = sa.select(BREAKERS).where(is_among(_B.target_uid, "uids", dialect))
    rows = connection.execute(statement, {"uids": listed(uids, dialect)})
    return {row.target_uid: _breaker_of(row) for row in rows}


def try_again(connection: sa.Connection, uid: str, revision: int, now: datetime) -> None:
    """See ``breaker.tried_again``."""
    panel = Panel(connection, (uid,), now)
    panel.put(uid, breakers.tried_again(panel.breaker(uid), revision, now))


def probe(connection: sa.Connection, uids: Collection[str], now: datetime) -> None:
    """Let those of the targets that fail be tried at once. What is paused stays so."""
    panel = Panel(connection, uids, now)
    for uid in uids:
        standing = panel.breaker(uid)
        if standing.phase is Phase.OPEN:
            panel.put(uid, breakers.tried_again(standing, standing.revision, now))


def is_in(phase: Phase, uid: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether the breaker of the target is in ``phase``, of rows that name a target."""
    return uid.in_(sa.select(_B.target_uid).where(_B.phase == sa.literal(phase.value)))


def keep(connection: sa.Connection, uid: str, breaker: Breaker) -> None:
    """Write the breaker of a target that has a row."""
    _KEEP.run(connection, [(*_values(breaker), uid)])


def _is_well(breaker: Breaker) -> bool:
    return breaker.phase is Phase.CLOSED and not breaker.failures


def _reply_of(ended: Sequence[Completion]) -> str:
    return next(
        (
            each.end.reply
            for each in reversed(ended)
            if each.end and each.end.outcome != "delivered"
        ),
        "",
    )


def _locked(connection: sa.Connection, uids: Iterable[str]) -> dict[str, Breaker]:
    dialect = connection.dialect.name
    rows = _LOCK[dialect].fetch(connection, (listed(uids, dialect),))
    return {row[0]: _of_values(*row[1:]) for row in rows}


def _make(connection: sa.Connection, uid: str) -> None:
    values = dict(zip(_NAMES, (uid, *_values(CLOSED)), strict=True))
    connection.execute(insert_or_ignore(BREAKERS, connection.dialect.name).values(values))


def _values(breaker: Breaker) -> tuple[Any, ...]:
    """In the order of the table's columns behind the first."""
    return (
        breaker.phase.value,
        breaker.failures,
        breaker.openings,
        breaker.limit,
        breaker.successes,
        breaker.epoch,
        None if breaker.since is None else to_micros(breaker.since),
        None if breaker.probe_at is None else to_micros(breaker.probe_at),
        breaker.reason,
        breaker.revision,
    )


def _of_values(
    phase: str,
    failures: int,
    openings: int,
    limit: int,
    successes: int,
    epoch: int,
    since: int | None,
    probe_at: int | None,
    reason: str,
    revision: int,
) -> Breaker:
    return Breaker(
        Phase(phase),
        failures,
        openings,
        limit,
        successes,
        epoch,
        moment(since),
        moment(probe_at),
        reason,
        revision,
    )


def _breaker_of(row: sa.Row[*tuple[Any, ...]]) -> Breaker:
    return _of_values(*tuple(row)[1:])


def _lock_statement(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(BREAKERS)
        .where(is_among(_B.target_uid, "uids", dialect))
        .order_by(_B.target_uid)
        .with_for_update()
    )


_LOCK = {each: Bulk(_lock_statement(each), ("uids",)) for each in ("sqlite", "postgresql")}
_KEEP = Bulk(
    sa.update(BREAKERS)
    .ordered_values(
        *((_B[each], sa.bindparam(f"new_{each}", type_=_B[each].type)) for each in _NAMES[1:])
    )
    .where(_B.target_uid == sa.bindparam("key_uid", type_=sa.String)),
    (*(f"new_{each}" for each in _NAMES[1:]), "key_uid"),
)
