"""Moments as they are written in forms and addresses: in the installation's time zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.time_zone import zone_of

_YEARS = range(1970, 9000)
"""So that a chart may go beyond what is asked for."""


def read_moment(text: str, zone: str, field: str) -> datetime | None:
    """ISO 8601, in ``zone`` where it names none; None where nothing is written.

    ``InvalidArgument`` names ``field``: also of what clocks leave out when they are put forward.
    """
    if not text:
        return None
    written = _written(text)
    if written is None:
        problem = f"{text!r} is no time: such as 2026-05-21T22:00"
        raise InvalidArgument.of([FieldViolation(field, problem)])
    moment = written if written.tzinfo else written.replace(tzinfo=zone_of(zone))
    moment = moment.astimezone(UTC)
    if not written.tzinfo and in_zone(moment, zone_of(zone)).replace(tzinfo=None) != written:
        problem = f"is left out in {zone}: the clocks are put forward then"
        raise InvalidArgument.of([FieldViolation(field, problem)])
    return moment


def written_moment(moment: datetime | None, zone: str) -> str:
    """As a field of the type datetime-local has it: ``2026-05-21T22:00``."""
    return "" if moment is None else f"{in_zone(moment, zone_of(zone)):%Y-%m-%dT%H:%M}"


def _written(text: str) -> datetime | None:
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        return None
    return written if written.year in _YEARS else None
