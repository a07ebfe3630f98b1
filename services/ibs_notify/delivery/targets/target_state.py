"""What is kept of each target beside its breaker: how its attempts fare, and its rate."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ibs_notify.delivery.model import Completion, State
from ibs_notify.delivery.tables import DELIVERIES, TARGETS
from ibs_notify.delivery.targets import max_rate
from ibs_notify.delivery.targets.breaker import Sign
from ibs_notify.delivery.targets.max_rate import Passed
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore

_T = TARGETS.c
_IS_THIS = _T.target_uid == sa.bindparam("uid", type_=sa.String)
_UNKNOWN: Mapping[str, Any] = {
    "delivered_count": 0,
    "last_success_at": None,
    "last_failure_at": None,
    "last_failure": "",
    "failing_since": None,
    "last_code": 0,
    "rate_window": "[]",
    "certificate_until": None,
}


def allowed(
    connection: sa.Connection, uid: str, limit: int, wanted: int, now: datetime
) -> tuple[int, datetime | None]:
    """How many of ``wanted`` may be sent now, and, where not all, when more may.

    The target's row is locked until the transaction ends, so replicas share one rate.
    """
    allowance = max_rate.allowance(_window(connection, uid), limit, to_micros(now))
    next_at = None if allowance.next_at is None else from_micros(allowance.next_at)
    return min(wanted, allowance.count), next_at


def note_passed(connection: sa.Connection, uid: str, count: int, now: datetime) -> None:
    """``count`` messages are being sent."""
    window = max_rate.passed(_window(connection, uid), count, to_micros(now))
    connection.execute(
        sa.update(TARGETS).where(_T.target_uid == uid),
        {"rate_window": json.dumps([[each.at, each.count] for each in window])},
    )


def _window(connection: sa.Connection, uid: str) -> Sequence[Passed]:
    _ensure(connection, uid)
    text = connection.execute(
        sa.select(_T.rate_window).where(_T.target_uid == uid).with_for_update()
    ).scalar_one()
    return [Passed(at, count) for at, count in json.loads(text)]


def note_ends(connection: sa.Connection, done: Iterable[Completion]) -> None:
    """Keep how the attempts ended."""
    attempts = sorted(
        (each for each in done if each.end is not None), key=lambda each: each.work.target_uid
    )
    for uid, group in groupby(attempts, key=lambda each: each.work.target_uid):
        ends = list(group)
        parameters = (*_summary(ends), ends[-1].work.seq, uid)
        if _NOTE_ENDS.change(connection, parameters) == 0:
            _ensure(connection, uid)
            _NOTE_ENDS.change(connection, parameters)


def last_names(connection: sa.Connection, uids: Collection[str]) -> Mapping[str, str]:
    """The names that targets had last, deleted or not, as far as anything is kept of them."""
    noted = sa.select(_T.target_uid, _T.target_name).where(
        _T.target_uid.in_(uids), _T.target_name != ""
    )
    found = {row.target_uid: row.target_name for row in connection.execute(noted)}
    # What was given up and never attempted. The state is written out, not bound: only then does
    # the index serve.
    c = DELIVERIES.c
    newest = sa.select(sa.func.max(c.seq)).group_by(c.target_uid)
    newest = newest.where(
        c.target_uid.in_(set(uids) - found.keys()), sa.text(f"state = {State.DEAD.value}")
    )
    dead = sa.select(c.target_uid, c.target_name).where(c.seq.in_(newest))
    return found | {row.target_uid: row.target_name for row in connection.execute(dead)}


def _summary(ends: Sequence[Completion]) -> tuple[Any, ...]:
    """Values of ``_NOTE_ENDS`` but for the last, from attempts in the order of their end.

    A peer that judged a message works, also where it refused that one.
    """
    success: datetime | None = None
    worked: datetime | None = None
    failure: datetime | None = None
    text: str | None = None
    failing_since: datetime | None = None
    delivered = 0
    code = 0
    certificate: datetime | None = None
    for each in ends:
        if each.end is None:
            continue
        if each.end.certificate_until is not None:
            certificate = each.end.certificate_until
        at, code = each.ended_at, each.end.code
        delivered += each.settlement.state is State.DELIVERED
        if each.end.outcome == "delivered":
            success = at
        else:
            failure, text = at, each.end.reply
        if each.end.outcome == "delivered" or each.end.sign is Sign.WORKS:
            worked, failing_since = at, None
        else:
            failing_since = failing_since or at
    began_failing = _micros(failing_since)
    return (
        delivered,
        _micros(success),
        _micros(failure),
        text,
        _micros(worked),
        began_failing,
        began_failing,
        code,
        _micros(certificate),
    )


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def _ensure(connection: sa.Connection, uid: str) -> None:
    connection.execute(
        insert_or_ignore(TARGETS, connection.dialect.name).values(target_uid=uid, **_UNKNOWN)
    )


def _kept_unless_given(parameter: str, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.bindparam(parameter, type_=column.type), column)


def _at(parameter: str) -> sa.BindParameter[int]:
    return sa.bindparam(parameter, type_=sa.BigInteger)


_NOTE_ENDS = Bulk(
    sa.update(TARGETS)
    .ordered_values(
        (_T.delivered_count, _T.delivered_count + _at("delivered")),
        (_T.last_success_at, _kept_unless_given("success", _T.last_success_at)),
        (_T.last_failure_at, _kept_unless_given("failure", _T.last_failure_at)),
        (_T.last_failure, _kept_unless_given("failure_text", _T.last_failure)),
        (
            _T.failing_since,
            sa.case(
                (_at("worked").is_(None), sa.func.coalesce(_T.failing_since, _at("since"))),
                else_=_at("since_worked"),
            ),
        ),
        (_T.last_code, sa.bindparam("code", type_=sa.Integer)),
        (_T.certificate_until, _kept_unless_given("certificate", _T.certificate_until)),
        (
            _T.target_name,
            sa.select(DELIVERIES.c.target_name)
            .where(DELIVERIES.c.seq == _at("last_seq"))
            .scalar_subquery(),
        ),
    )
    .where(_IS_THIS),
    (
        "delivered",
        "success",
        "failure",
        "failure_text",
        "worked",
        "since",
        "since_worked",
        "code",
        "certificate",
        "last_seq",
        "uid",
    ),
)
