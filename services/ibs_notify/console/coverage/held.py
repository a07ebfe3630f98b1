"""What rate limits hold already: silences are asked of what is accepted, and take none back."""

from __future__ import annotations

from dataclasses import dataclass

from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.words import RECORDED
from ironcore.notification.v1.disposition_pb2 import DISPOSITION_STATE_READY
from ironcore.notification.v1.router_service_pb2 import EventFilter, ListEventsRequest

MOST = 500


@dataclass(frozen=True, slots=True)
class Held:
    """So many events wait for people; ``is_more``: of the newest ``MOST``, and there are more."""

    count: int = 0
    is_more: bool = False


async def held(visit: Visit, chosen: EventFilter) -> Held:
    """Of those that ``chosen`` names, held or about to be handed on."""
    request = ListEventsRequest(filter=chosen, page_size=MOST)
    request.filter.ClearField("dispositions")
    request.filter.dispositions.append(DISPOSITION_STATE_READY)
    answer = await visit.api.call(visit.api.router.ListEvents, request)
    waiting = sum(
        any(
            each.state == DISPOSITION_STATE_READY and each.reason != RECORDED
            for each in record.dispositions
        )
        for record in answer.events
    )
    return Held(waiting, bool(answer.next_page_token))
