"""The Router service over gRPC: the adapter of ``EventSums``."""

from __future__ import annotations

from datetime import datetime

import grpc

from ibs_notify.delivery.reports.weekly_report import (
    MOST_OFFENDERS,
    EventCount,
    EventTotals,
    Offender,
)
from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

SUM_SECONDS = 120.0
"""There may be millions of events; what digests are due meanwhile wait so long at most."""
_SEVERITIES = {severity.value: severity for severity in Severity}


class RouterClient:
    """See ``ports.EventSums``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RouterServiceStub(channel)

    async def totals(self, after: datetime, before: datetime) -> EventTotals:
        request = pb.SummarizeEventsRequest(
            filter=pb.EventFilter(after=moment_to_proto(after), before=moment_to_proto(before)),
            # Some may be of the system's own events, which the report leaves out.
            max_offenders=2 * MOST_OFFENDERS,
        )
        try:
            answer = await self._stub.SummarizeEvents(request, timeout=SUM_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "router") from error
        return EventTotals(
            [
                EventCount(
                    each.datastore, each.type, _severity(each.severity, each.type), each.count
                )
                for each in answer.counts
            ],
            [
                Offender(each.resource, each.type, _severity(each.severity, each.type), each.count)
                for each in answer.offenders
            ],
            answer.other_count,
        )


def _severity(number: int, event_type: str) -> Severity:
    """A severity of a later release counts as the type's own."""
    return _SEVERITIES.get(number) or default_severity(event_type)
