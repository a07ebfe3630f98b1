"""The rpcs of the inbox, apart from its watch: lists, marks and counts of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.router import views
from ibs_notify.router.blocks import HOUR, Blocks
from ibs_notify.router.books import StoredEvent, events_by_id
from ibs_notify.router.charting import EventCharts
from ibs_notify.router.counting import EventCounts
from ibs_notify.router.event_filter import countable_query_of, query_of, scoped
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_scan import EventScan
from ibs_notify.router.lines import Mark
from ibs_notify.router.listing import LISTING, read_page
from ibs_notify.router.marking import Marking
from ibs_notify.router.marks import marks_of
from ibs_notify.rpc.chart_spans import Unit, step_of
from ibs_notify.rpc.paging import page_size, read_page_number
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

LOOK_SECONDS = 0.04
"""After so much looking a list answers with what it has, and where it would go on."""
MOST_IDS = 1000
MOST_COMBINATIONS = 3_000
"""So many fit into an answer, were each name as long as it may be."""
MOST_OFFENDERS = 100
WEEK = 7 * 24 * HOUR


class InboxCalls:
    """What people ask of the inbox; ``viewer`` is who asks."""

    def __init__(
        self,
        database: Database,
        blocks: Blocks,
        clock: Clock,
        group_names: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """``group_names``: of the groups that there are now."""
        self._database = database
        self._group_names = group_names
        self._blocks = blocks
        self._clock = clock
        self._counts = EventCounts(database, blocks, clock)
        self._charts = EventCharts(database, blocks, clock)
        self._marking = Marking(database, blocks, clock)

    async def list(self, request: pb.ListEventsRequest, viewer: str) -> pb.ListEventsResponse:
        """A page, newest first. It may be empty, and yet not the last."""
        before, size = read_page_number(LISTING, request.page_token), page_size(request.page_size)
        query = await self._query_of(request, viewer)
        scan = EventScan(self._database, self._blocks, self._clock, query)
        found = await scan.find(before, size + 1, LOOK_SECONDS)
        page = await self._database.read(lambda c: read_page(c, viewer, found, size))
        return pb.ListEventsResponse(
            events=[views.event_record(each, mark) for each, mark in page.events],
            next_page_token=page.token,
        )

    async def get(self, request: pb.GetEventRequest, viewer: str) -> pb.GetEventResponse:
        """One event, by its id."""

        def read(connection: sa.Connection) -> tuple[StoredEvent, Mark] | None:
            for each in events_by_id(connection, [request.event_id]):
                return each, marks_of(connection, viewer, [each.seq])[each.seq]
            return None

        found = await self._database.read(read)
        if found is None:
            raise views.event_not_found(request.event_id)
        return pb.GetEventResponse(event=views.event_record(*found))

    async def mark(self, request: pb.MarkEventsRequest, viewer: str) -> pb.MarkEventsResponse:
        """Some by id, or all that match."""
        _check(request)
        mark = Mark(request.state)
        if not request.HasField("filter"):
            count, unknown = await self._marking.by_id(request.event_ids, viewer, mark)
            return pb.MarkEventsResponse(count=count, unknown_count=unknown)
        query = query_of(request.filter, viewer)
        newest = await self._database.read(self._blocks.newest)
        count = await self._marking.matching(query, min(request.up_to_sequence, newest), mark)
        return pb.MarkEventsResponse(count=count)

    async def count(self, request: pb.CountEventsRequest, viewer: str) -> pb.CountEventsResponse:
        """By severity, the worst first."""
        query = countable_query_of(request.filter, viewer)
        newest = await self._database.read(self._blocks.newest)
        counts, unread = await self._counts.by_severity(query)
        response = pb.CountEventsResponse(newest_sequence=newest)
        for severity, count in sorted(counts.items(), reverse=True):
            response.counts.add(
                severity=event_pb2.Severity.ValueType(severity),
                count=count,
                unread=unread[severity],
            )
        return response

    async def chart(self, request: pb.ChartEventsRequest, viewer: str) -> pb.ChartEventsResponse:
        """By span of time and severity, the worst of a span first."""
        query = await self._query_of(request, viewer)
        end = to_micros(self._clock.now()) if query.before is None else query.before
        if query.after is None:
            query = replace(query, after=end - WEEK)
        given = request.step if request.HasField("step") else None
        step = step_of(given, end - (query.after or 0), Unit.MINUTE)
        charted = await self._charts.of(query, step)
        response = pb.ChartEventsResponse(out_of_scope_count=charted.outside)
        response.step.FromMicroseconds(step)
        if charted.counted_since is not None:
            response.counted_since.FromMicroseconds(charted.counted_since)
        span, last = pb.EventSpan(), None
        for (number, severity), count in sorted(
            charted.spans.items(), key=lambda item: (item[0][0], -item[0][1])
        ):
            if number != last:
                span, last = response.spans.add(), number
                span.start_time.FromMicroseconds(number * step)
            span.counts.add(severity=event_pb2.Severity.ValueType(severity), count=count)
        return response

    async def summarize(
        self, request: pb.SummarizeEventsRequest, viewer: str
    ) -> pb.SummarizeEventsResponse:
        """By datastore, type and severity, in this order; and the worst resources."""
        if not 0 <= request.max_offenders <= MOST_OFFENDERS:
            fault = f"is not from 0 to {MOST_OFFENDERS}"
            raise InvalidArgument.of([FieldViolation("max_offenders", fault)])
        query = query_of(request.filter, viewer)
        tally = await self._counts.by_combination(query)
        combinations = list(tally.counts)
        tally.cut(MOST_COMBINATIONS)
        response = pb.SummarizeEventsResponse(other_count=tally.other)
        for (datastore, event_type, severity), count in sorted(tally.counts.items()):
            response.counts.add(
                datastore=datastore,
                type=event_type,
                severity=event_pb2.Severity.ValueType(severity),
                count=count,
            )
        if request.max_offenders:
            offenders = await self._counts.offenders(query, combinations, request.max_offenders)
            for (resource, event_type, severity), count in offenders:
                response.offenders.add(
                    resource=resource,
                    type=event_type,
                    severity=event_pb2.Severity.ValueType(severity),
                    count=count,
                )
        return response

    async def _query_of(
        self, request: pb.ListEventsRequest | pb.ChartEventsRequest, viewer: str
    ) -> EventQuery:
        query = query_of(request.filter, viewer)
        if not request.HasField("scope"):
            return query
        # An index of ten thousand attachments takes some time, in which others have theirs.
        return await asyncio.to_thread(scoped, query, request.scope, self._group_names())


def _check(request: pb.MarkEventsRequest) -> None:
    faults = []
    if request.state not in {each.value for each in Mark}:
        faults.append(FieldViolation("state", "is missing, or no state of the inbox"))
    if request.HasField("filter"):
        if request.event_ids:
            faults.append(FieldViolation("event_ids", "are given beside a filter"))
        if request.up_to_sequence < 1:
            faults.append(FieldViolation("up_to_sequence", "is missing, and required with filter"))
    elif request.up_to_sequence:
        faults.append(FieldViolation("up_to_sequence", "is of a filter, which is not given"))
    if len(request.event_ids) > MOST_IDS:
        faults.append(FieldViolation("event_ids", f"are more than {MOST_IDS}"))
    if faults:
        raise InvalidArgument.of(faults)
