"""The weekly summary, by the counts of the Router's events. See ``ports.Summaries``."""

from __future__ import annotations

from collections import Counter
from typing import Final

import grpc

from ibs_notify.delivery.digest_report import ReportWindow
from ibs_notify.delivery.ports import Composed
from ibs_notify.domain.catalogue import Outcome, default_severity, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.rpc.convert import event_to_proto, moment_to_proto
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

EVENT_TYPE: Final = "notification.summary"
ASK_SECONDS: Final = 60.0


class RouterSummaries:
    """Asks the Router when a summary is to be made; it is made later while that is away."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RouterServiceStub(channel)

    async def compose(self, window: ReportWindow, target_uid: str, delivery_id: str) -> Composed:  # noqa: ARG002  # see the port
        which = pb.EventFilter(
            after=moment_to_proto(window.opened_at), before=moment_to_proto(window.closed_at)
        )
        try:
            answer = await self._stub.SummarizeEvents(
                pb.SummarizeEventsRequest(filter=which), timeout=ASK_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "router") from error
        event = _event(window, answer, delivery_id)
        return Composed(event, event_to_proto(event).SerializeToString())


def _event(window: ReportWindow, counts: pb.SummarizeEventsResponse, delivery_id: str) -> Event:
    """The totals first, then each datastore."""
    stores: dict[str, Counter[Outcome]] = {}
    for each in counts.counts:
        stores.setdefault(each.datastore, Counter())[outcome_of(each.type)] += each.count
    total: Counter[Outcome] = sum(stores.values(), Counter())
    lines = [f"{name or 'elsewhere'}: {_words(stores[name])}" for name in sorted(stores)]
    return Event(
        event_id=f"weekly-{delivery_id}",
        type=EVENT_TYPE,
        severity=default_severity(EVENT_TYPE),
        timestamp=window.closed_at,
        subject=f"Weekly summary of {window.group}: {_words(total)}",
        summary="\n".join(lines) or "No events.",
        groups=(window.group,),
    )


def _words(outcomes: Counter[Outcome]) -> str:
    return (
        f"{outcomes[Outcome.PROBLEM]:,} problems, {outcomes[Outcome.OK]:,} successes, "
        f"{outcomes[Outcome.NEUTRAL]:,} others"
    )
