"""How far back the events go: of a time that they do not cover, no rate is told."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from ibs_notify.console import freshness
from ibs_notify.console.rendering import iso_exact, moment_of
from ibs_notify.console.shared import Found
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.router_service_pb2 import (
    ChartEventsRequest,
    EventFilter,
    ListEventsRequest,
)


async def oldest_event(visit: Visit, after: datetime) -> datetime | None:
    """When the oldest that is kept was accepted, to the hour; ``after`` for one of before that.

    None where there is none, or that is not known.
    """
    load = partial(_load, after=after)
    name = f"oldest event {iso_exact(after)}"
    answer = await visit.shared.ask(visit, name, load, freshness.HISTORY)
    if isinstance(answer.found, NotificationError):
        return None
    found: datetime | None = answer.found["at"]
    return found


async def _load(visit: Visit, after: datetime) -> Found:
    api, bound = visit.api, moment_to_proto(after)
    before = ListEventsRequest(filter=EventFilter(before=bound), page_size=1)
    older = await api.call(api.router.ListEvents, before)
    if older.events:
        return {"at": after}
    hourly = ChartEventsRequest(filter=EventFilter(after=bound))
    spans = (await api.call(api.router.ChartEvents, hourly)).spans
    return {"at": moment_of(spans[0].start_time) if spans else None}
