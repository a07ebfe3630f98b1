"""The time zone that pages tell exact times in: the installation's, asked for now and then."""

from __future__ import annotations

import logging
from zoneinfo import available_timezones

from ibs_notify.console.api import Api
from ibs_notify.console.rendering import Renderer
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1.config_service_pb2 import GetSettingsRequest

log = logging.getLogger(__name__)

ZONES = tuple(sorted(available_timezones()))
"""Those that forms offer. Looking for them takes 20 ms of the disk, so it is done once."""
EACH_SECONDS = 60.0
ASK_SECONDS = 1.0
"""A page does not wait for longer: then it has the zone of before."""


class TimeZone:
    """The console has no right of its own, so it asks in the name of whoever visits first."""

    def __init__(self, renderer: Renderer, clock: Clock) -> None:
        self._renderer = renderer
        self._clock = clock
        self._next = 0.0

    async def refresh(self, api: Api) -> None:
        """Ask, where it was not asked lately."""
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + EACH_SECONDS
        try:
            found = await api.call(
                api.config.GetSettings, GetSettingsRequest(), timeout=ASK_SECONDS
            )
        except NotificationError as error:
            log.debug("the time zone stays %s: %s", self._renderer.time_zone, error)
        else:
            self._renderer.use_zone(found.settings.time_zone)
