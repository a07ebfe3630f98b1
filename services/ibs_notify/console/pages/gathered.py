"""What the form of a group says of an event that its digest is to gather from now on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.configured import every_target
from ibs_notify.console.groups.draft import Draft
from ibs_notify.console.groups.gathering import Gathering, gathering_of, next_digest
from ibs_notify.console.targets.words import is_metric_server
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.convert import moment_from_proto, moment_to_proto
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_OF_A_MOMENT = 1000
"""Events that were accepted together have one time."""


async def gathered(visit: Visit, draft: Draft) -> Gathering | None:
    """Of the event that the address names; None where it names none, or it is not to be had."""
    asked = visit.request.query
    event_id = asked.get("gather", "")
    if not event_id:
        return None
    request = pb.GetEventRequest(event_id=event_id)
    found = await attempted(visit.api.call(visit.api.router.GetEvent, request))
    if isinstance(found, NotificationError):
        visit.notice(f"The form is not filled in from the event: {found.message}.", "warning")
        return None
    event = found.event.event
    ahead, is_gathered, targets = await asyncio.gather(
        unless_failed(visit.api.call(visit.api.router.Explain, pb.ExplainRequest(event=event))),
        _is_gathered(visit, draft, found.event),
        every_target(visit.api),
    )
    return gathering_of(
        draft,
        event,
        asked.get("like", ""),
        {each.name for each in targets if is_metric_server(each)},
        None if ahead is None else ahead.subscriptions,
        next_digest(draft, visit.now(), visit.time_zone),
        is_gathered=is_gathered,
    )


async def _is_gathered(visit: Visit, draft: Draft, record: pb.EventRecord) -> bool:
    """Whether the digest's rule matches the event, silenced or not: asked of those of its moment.

    Where that cannot be found out, its rule is joined all the same, which changes nothing then.
    """
    if not draft.has_digest:
        return False
    at = moment_from_proto(record.receive_time)
    sought = pb.EventFilter(
        rule=draft.digest_rule,
        types=[record.event.type],
        after=record.receive_time,
        before=moment_to_proto(at + timedelta(microseconds=1)),
    )
    request = pb.ListEventsRequest(filter=sought, page_size=MOST_OF_A_MOMENT)
    answer = await unless_failed(visit.api.call(visit.api.router.ListEvents, request))
    matching = answer.events if answer is not None else ()
    return any(each.sequence == record.sequence for each in matching)
