"""RouterService: proto in, use case, proto out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import grpc

from ibs_notify.domain.bounds import MAX_BATCH
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import (
    FieldViolation,
    InvalidArgument,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.router import views
from ibs_notify.router.audit import audit
from ibs_notify.router.coverage_calls import Coverage
from ibs_notify.router.event_filter import query_of
from ibs_notify.router.event_watch import EventWatch
from ibs_notify.router.explain import Explainer
from ibs_notify.router.group_status import read_page, read_status
from ibs_notify.router.hearing_calls import Hearings
from ibs_notify.router.in_force import InForce
from ibs_notify.router.inbox_calls import InboxCalls
from ibs_notify.router.intake import Accepted, Intake
from ibs_notify.router.overlap_calls import Overlaps
from ibs_notify.router.ports import DeliveryAnswers
from ibs_notify.router.preview_calls import Preview
from ibs_notify.router.read_ahead import ReadAhead
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.silence_calls import SilenceCalls
from ibs_notify.rpc.caller import caller_of, principal
from ibs_notify.rpc.paging import MAX_PAGE_SIZE, page_size, read_page_name
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class RouterServicer(RouterServiceServicer):
    """The rpcs; errors are raised and become statuses in ``rpc.interceptors``."""

    def __init__(
        self,
        intake: Intake,
        database: Database,
        delivery: DeliveryAnswers,
        in_force: InForce,
        revisions: Revisions,
        clock: Clock,
        inbox: InboxCalls,
        watch: EventWatch,
        overlaps: Overlaps,
    ) -> None:
        self._watch = watch
        self._overlaps = overlaps
        self._inbox = inbox
        self._intake = intake
        self._database = database
        self._delivery = delivery
        self._in_force = in_force
        self._clock = clock
        self._explainer = Explainer(database, in_force, revisions, delivery, clock)
        self._preview = Preview(database, in_force, clock)
        self._coverage = Coverage(database, in_force, delivery, clock)
        self._hearings = Hearings(database, in_force, clock)
        self._silences = SilenceCalls(database, in_force, clock)
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Stopping begins: streams of events end as soon as what they sent is answered."""
        self._stopping.set_result(None)

    async def Emit(self, request: pb.EmitRequest, context: Context) -> pb.EmitResponse:
        answer = (await self._intake.accept((request.event,), principal().bounds))[0]
        if isinstance(answer, NotificationError):
            raise answer
        response = pb.EmitResponse()
        _fill(response, answer)
        return response

    async def EmitBatch(
        self, request: pb.EmitBatchRequest, context: Context
    ) -> pb.EmitBatchResponse:
        response = pb.EmitBatchResponse()
        await self._emit_all(_events_of(request), response)
        return response

    async def EmitStream(
        self, request_iterator: AsyncIterator[pb.EmitStreamRequest], context: Context
    ) -> AsyncIterator[pb.EmitStreamResponse]:
        async with ReadAhead(request_iterator, _events_of, MAX_BATCH, self._stopping) as batches:
            async for events in batches:
                response = pb.EmitStreamResponse()
                await self._emit_all(events, response)
                yield response
            if batches.is_cut:
                raise Unavailable(Reason.SERVICE_UNREACHABLE, "the Router is stopping")

    async def _emit_all(
        self,
        messages: Sequence[event_pb2.Event],
        response: pb.EmitBatchResponse | pb.EmitStreamResponse,
    ) -> None:
        for answer in await self._intake.accept(messages, principal().bounds):
            result = response.results.add()
            if isinstance(answer, NotificationError):
                views.fill_error(result.error, answer)
            else:
                _fill(result.accepted, answer)

    async def ListEvents(
        self, request: pb.ListEventsRequest, context: Context
    ) -> pb.ListEventsResponse:
        return await self._inbox.list(request, caller_of(context))

    async def GetEvent(self, request: pb.GetEventRequest, context: Context) -> pb.GetEventResponse:
        return await self._inbox.get(request, caller_of(context))

    async def VerifyLedger(
        self, request: pb.VerifyLedgerRequest, context: Context
    ) -> pb.VerifyLedgerResponse:
        return views.ledger_response(await audit(self._database, self._delivery))

    async def AwaitConfig(
        self, request: pb.RouterServiceAwaitConfigRequest, context: Context
    ) -> pb.RouterServiceAwaitConfigResponse:
        table = await self._in_force.at_least(request.revision)
        return pb.RouterServiceAwaitConfigResponse(revision=table.revision)

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        query = query_of(request.filter, caller_of(context))
        async with aclosing(self._watch.follow(request.resume_token, query)) as watched:
            async for each in watched:
                yield each

    async def SummarizeEvents(
        self, request: pb.SummarizeEventsRequest, context: Context
    ) -> pb.SummarizeEventsResponse:
        return await self._inbox.summarize(request, caller_of(context))

    async def ChartEvents(
        self, request: pb.ChartEventsRequest, context: Context
    ) -> pb.ChartEventsResponse:
        return await self._inbox.chart(request, caller_of(context))

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        return await self._explainer.explain(request)

    async def CreateSilence(
        self, request: pb.CreateSilenceRequest, context: Context
    ) -> pb.CreateSilenceResponse:
        return await self._silences.create(request, caller_of(context))

    async def ListSilences(
        self, request: pb.ListSilencesRequest, context: Context
    ) -> pb.ListSilencesResponse:
        return await self._silences.list(request)

    async def ExpireSilence(
        self, request: pb.ExpireSilenceRequest, context: Context
    ) -> pb.ExpireSilenceResponse:
        return await self._silences.expire(request, caller_of(context))

    async def MarkEvents(
        self, request: pb.MarkEventsRequest, context: Context
    ) -> pb.MarkEventsResponse:
        return await self._inbox.mark(request, caller_of(context))

    async def CountEvents(
        self, request: pb.CountEventsRequest, context: Context
    ) -> pb.CountEventsResponse:
        return await self._inbox.count(request, caller_of(context))

    async def PreviewDedup(
        self, request: pb.PreviewDedupRequest, context: Context
    ) -> pb.PreviewDedupResponse:
        return await self._preview.preview(request)

    async def PreviewOverlap(
        self, request: pb.PreviewOverlapRequest, context: Context
    ) -> pb.PreviewOverlapResponse:
        return await self._overlaps.preview(request, caller_of(context))

    async def ListHearings(
        self, request: pb.ListHearingsRequest, context: Context
    ) -> pb.ListHearingsResponse:
        return await self._hearings.list(request)

    async def GetCoverage(
        self, request: pb.GetCoverageRequest, context: Context
    ) -> pb.GetCoverageResponse:
        return await self._coverage.find(request)

    async def GetGroupStatus(
        self, request: pb.GetGroupStatusRequest, context: Context
    ) -> pb.GetGroupStatusResponse:
        group = self._in_force.group(request.group)
        now = to_micros(self._clock.now())
        status = await self._database.read(lambda c: read_status(c, group, now))
        return views.group_status_response(status)

    async def ListGroupStatuses(
        self, request: pb.ListGroupStatusesRequest, context: Context
    ) -> pb.ListGroupStatusesResponse:
        if len(request.groups) > MAX_PAGE_SIZE:
            fault = f"are more than {MAX_PAGE_SIZE}"
            raise InvalidArgument.of([FieldViolation("groups", fault)])
        size = page_size(request.page_size)
        after = read_page_name(views.QUEUES, request.page_token)
        groups = self._in_force.groups_after(after, only=set(request.groups))
        now = to_micros(self._clock.now())
        page = await self._database.read(
            lambda c: read_page(c, groups, now, size=size, waiting_only=request.waiting_only)
        )
        return views.group_statuses_response(page)


def _events_of(request: pb.EmitBatchRequest | pb.EmitStreamRequest) -> Sequence[event_pb2.Event]:
    events = request.events
    if len(events) > MAX_BATCH:
        raise InvalidArgument(
            Reason.FIELD_INVALID,
            f"events: {len(events)} are more than {MAX_BATCH}",
            advice="send them in several batches",
            violations=[FieldViolation("events", f"are more than {MAX_BATCH}")],
        )
    return events


def _fill(response: pb.EmitResponse, answer: Accepted) -> None:
    if answer.known is None:
        views.fill_response(response, answer.event_id, answer.routing)
    else:
        views.fill_known(response, answer.known)
    response.duplicate = answer.duplicate
