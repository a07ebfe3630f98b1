"""Since when: a request's moment, and the number of the first event accepted since."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.router.tables import EVENTS
from ibs_notify.rpc.convert import is_moment, moment_from_proto
from ironcore.notification.v1 import router_service_pb2 as pb

_C = EVENTS.c
_NEXT = (
    sa.select(_C.seq, _C.received_at)
    .where(_C.seq >= sa.bindparam("seq", type_=sa.BigInteger))
    .order_by(_C.seq)
    .limit(1)
)


def moment_of(
    request: pb.GetCoverageRequest | pb.PreviewDedupRequest, default: datetime
) -> datetime:
    """The moment of a request's field ``since``, or the default where that is unset."""
    if not request.HasField("since"):
        return default
    if not is_moment(request.since):
        fault = FieldViolation("since", "is not between the years 1 and 9999")
        raise InvalidArgument.of([fault])
    return moment_from_proto(request.since)


def first_since(connection: sa.Connection, since: datetime) -> int:
    """The number from which on events were accepted at or after ``since``, also if there is none.

    Events are in order of acceptance, so halves of them are looked at; where the clock went back it
    may be off by what came in between.
    """
    ends = connection.execute(sa.select(sa.func.min(_C.seq), sa.func.max(_C.seq))).one()
    if ends[0] is None:
        return 0
    low, high, moment = int(ends[0]), int(ends[1]) + 1, to_micros(since)
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_NEXT, {"seq": middle}).one()
        if row.received_at >= moment:
            high = middle
        else:
            low = int(row.seq) + 1
    return low
