"""Places in the history, as watchers keep them: behind an event, by its number and its moment.

The moment gives away a place of another database, or of this one before it was restored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.router.tables import EVENTS, SEQUENCE

_TOKEN = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_RECEIVED_AT = sa.select(EVENTS.c.received_at).where(
    EVENTS.c.seq == sa.bindparam("seq", type_=sa.BigInteger)
)
_NUMBERS = sa.select(SEQUENCE.c.name, SEQUENCE.c.value).where(
    SEQUENCE.c.name.in_(("event", "retired_through"))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind event ``seq``, 0 for before all; ``received_at`` in microseconds, 0 if it is gone."""

    seq: int
    received_at: int

    @property
    def token(self) -> str:
        """As watchers keep it."""
        return f"{self.seq}-{self.received_at}"


def place_of(token: str) -> Place:
    """The place of a token; ``OutOfRange`` for what is no token of ours."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise _expired()
    return Place(int(found[1]), int(found[2]))


def newest_place(connection: sa.Connection) -> Place:
    """Behind the last event."""
    newest, _ = _numbers(connection)
    return Place(newest, connection.execute(_RECEIVED_AT, {"seq": newest}).scalar() or 0)


def require_kept(connection: sa.Connection, place: Place) -> None:
    """``OutOfRange`` where events behind ``place`` may be gone, or it is none of this history."""
    newest, retired_through = _numbers(connection)
    received_at = connection.execute(_RECEIVED_AT, {"seq": place.seq}).scalar()
    if not retired_through <= place.seq <= newest or (
        received_at != place.received_at
        and (received_at is not None or place.seq > retired_through)
    ):
        raise _expired()


def _numbers(connection: sa.Connection) -> tuple[int, int]:
    """Of the last event, and of the last that is gone."""
    numbers = {row.name: row.value for row in connection.execute(_NUMBERS)}
    return numbers["event"], numbers["retired_through"]


def _expired() -> OutOfRange:
    return OutOfRange(
        Reason.RESUME_TOKEN_EXPIRED,
        "the resume token is not, or no longer, a place in the history of events",
        advice="watch again without a token, and list what was missed with: event list --after",
    )
