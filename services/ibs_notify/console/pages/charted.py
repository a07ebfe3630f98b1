"""Asks for a chart of events: in one request, or in those that a time zone takes."""

from __future__ import annotations

import asyncio

from ibs_notify.console.periods import Period
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.router_service_pb2 import ChartEventsResponse, EventFilter


async def charted(
    visit: Visit, period: Period, chosen: EventFilter, timeout: float | None = None
) -> ChartEventsResponse:
    """The spans of all answers. What was not counted in one of them was not counted."""
    api = visit.api
    first, *others = await asyncio.gather(
        *(
            api.call(api.router.ChartEvents, each, timeout=timeout)
            for each in period.of_events(chosen)
        )
    )
    for each in others:
        first.spans.extend(each.spans)
        if each.HasField("counted_since"):
            first.counted_since.CopyFrom(each.counted_since)
    return first
