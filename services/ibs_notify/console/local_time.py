"""Moments as they are written in forms and addresses: in the installation's time zone."""

from __future__ import annotations

from datetime import UTC, datetime

from ibs_notify.console.visit import Visit
from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, NotificationError
from ibs_notify.domain.time_zone import zone_of
from ironcore.notification.v1.config_service_pb2 import GetSettingsRequest

SETTINGS_SECONDS = 2.0


async def time_zone(visit: Visit) -> str:
    """The name of the installation's zone; the last one known where Config does not answer.

    A part of a page goes by what its page was told.
    """
    if visit.is_partial:
        return visit.renderer.time_zone
    try:
        found = await visit.api.call(
            visit.api.config.GetSettings, GetSettingsRequest(), timeout=SETTINGS_SECONDS
        )
    except NotificationError:
        return visit.renderer.time_zone
    visit.renderer.time_zone = found.settings.time_zone or "UTC"
    return visit.renderer.time_zone


def read_moment(text: str, zone: str, field: str) -> datetime | None:
    """ISO 8601, in ``zone`` where it names none; None where nothing is written.

    ``InvalidArgument`` names ``field``: also of what clocks leave out when they are put forward.
    """
    if not text:
        return None
    try:
        written = datetime.fromisoformat(text)
        moment = written if written.tzinfo else written.replace(tzinfo=zone_of(zone))
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        problem = f"{text!r} is no time: such as 2026-05-21T22:00"
        raise InvalidArgument.of([FieldViolation(field, problem)]) from None
    if not written.tzinfo and in_zone(moment, zone_of(zone)).replace(tzinfo=None) != written:
        problem = f"is left out in {zone}: the clocks are put forward then"
        raise InvalidArgument.of([FieldViolation(field, problem)])
    return moment


def written_moment(moment: datetime | None, zone: str) -> str:
    """As a field of the type datetime-local has it: ``2026-05-21T22:00``."""
    return "" if moment is None else f"{in_zone(moment, zone_of(zone)):%Y-%m-%dT%H:%M}"
