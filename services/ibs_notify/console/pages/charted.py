"""Asks for a chart of events: in one request, or in those that a time zone takes."""

from __future__ import annotations

import asyncio

from ibs_notify.console.periods import Period
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.router_service_pb2 import (
    ChartEventsResponse,
    EventFilter,
    EventScope,
)


async def charted(
    visit: Visit,
    period: Period,
    chosen: EventFilter,
    timeout: float | None = None,
    scope: EventScope | None = None,
) -> ChartEventsResponse:
    """The spans of all answers. What was not counted in one of them was not counted."""
    api, requests = visit.api, period.of_events(chosen)
    if scope is not None:
        for request in requests:
            request.scope.CopyFrom(scope)
    first, *others = await asyncio.gather(
        *(api.call(api.router.ChartEvents, each, timeout=timeout) for each in requests)
    )
    for each in others:
        first.spans.extend(each.spans)
        first.out_of_scope_count += each.out_of_scope_count
        if each.HasField("counted_since"):
            first.counted_since.CopyFrom(each.counted_since)
    return first
