"""DeliveryService: proto in, use case, proto out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from ibs_notify.delivery import messages, preview_messages
from ibs_notify.delivery.charts import DeliveryCharts
from ibs_notify.delivery.digests import messages as digest_messages
from ibs_notify.delivery.digests.desk import DigestDesk
from ibs_notify.delivery.held_keys import HeldKeys
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Asked, Queue
from ibs_notify.delivery.preview import preview
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.queue.outcome_watch import OutcomeWatch
from ibs_notify.delivery.sending.dispatcher import Dispatcher
from ibs_notify.delivery.sending.target_test import TargetTester
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    FieldViolation,
    InvalidArgument,
    Reason,
    Unavailable,
)
from ibs_notify.domain.failpoints import hit
from ibs_notify.domain.target import Target
from ibs_notify.rpc.caller import caller_of
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.convert_config import target_from_proto
from ibs_notify.rpc.paging import (
    MAX_PAGE_SIZE,
    page_size,
    page_token,
    read_page_name,
    read_page_number,
)
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.free_space import FreeSpace
from ibs_notify.templates.builtins import builtins
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceServicer

MAX_IDS = 10_000
MOST_WITH_EVENT_TIME = 100
"""Of a page of so many deliveries the events are read as well."""
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the rpcs call."""

    queue: Queue
    dispatcher: Dispatcher
    outlook: Outlook
    listing: Listing
    charts: DeliveryCharts
    requests: Requests
    outcomes: OutcomeWatch
    digests: DigestDesk
    tester: TargetTester
    watcher: ConfigWatcher
    held_keys: HeldKeys
    free_space: FreeSpace
    clock: Clock
    console: str
    """Its address for who reads messages; empty where there is none."""


class DeliveryServicer(DeliveryServiceServicer):
    """Decides nothing."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def Deliver(self, request: pb.DeliverRequest, context: Context) -> pb.DeliverResponse:
        handoffs = messages.handoffs_from_proto(request.handoffs)
        self._use.free_space.require()
        changes = self._use.dispatcher.changes
        self._use.dispatcher.expect({each.target_uid for each in handoffs})
        accepted = await self._use.queue.accept(handoffs, self._use.outlook.admit)
        hit("delivery.after_accept_commit")
        self._use.dispatcher.noticed(accepted.targets, changes)
        return pb.DeliverResponse(accepted=accepted.accepted, known=accepted.known)

    async def TestTarget(
        self, request: pb.TestTargetRequest, context: Context
    ) -> pb.TestTargetResponse:
        target, sealed = _tested(request)
        result = await self._use.tester.test(
            target, sealed, request.recipients, self._use.outlook.snapshot
        )
        return pb.TestTargetResponse(
            ok=result.ok,
            stages=[messages.stage_to_proto(stage) for stage in result.stages],
            summary=result.summary,
        )

    async def PreviewMessage(
        self, request: pb.PreviewMessageRequest, context: Context
    ) -> pb.PreviewMessageResponse:
        snapshot = self._use.outlook.snapshot
        if snapshot is None:
            raise Unavailable(Reason.NOT_READY, "Delivery has no configuration yet")
        public_url = snapshot.settings.public_url
        asked = preview_messages.asked_from_proto(request, public_url, self._use.clock.now())
        shown = preview(asked, snapshot, self._use.clock, self._use.console)
        return preview_messages.preview_to_proto(shown)

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: Context
    ) -> pb.ListTemplatesResponse:
        return pb.ListTemplatesResponse(
            templates=[
                pb.BuiltinTemplate(name=each.name, description=each.description, text=each.text)
                for each in builtins()
            ]
        )

    async def ChartDeliveries(
        self, request: pb.ChartDeliveriesRequest, context: Context
    ) -> pb.ChartDeliveriesResponse:
        return await self._use.charts.of(request)

    async def StreamTargetTest(
        self, request: pb.StreamTargetTestRequest, context: Context
    ) -> AsyncIterator[pb.StreamTargetTestResponse]:
        target, sealed = _tested(request)
        following = self._use.tester.follow(
            target, sealed, request.recipients, self._use.outlook.snapshot
        )
        async with aclosing(following) as news:
            async for each in news:
                yield pb.StreamTargetTestResponse(progress=messages.progress_to_proto(each))

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        size = page_size(request.page_size)
        before_seq = read_page_number("deliveries", request.page_token)
        records = await self._use.listing.page(
            messages.filter_from_proto(request.filter),
            size=size + 1,
            before_seq=before_seq,
            bodies=size <= MOST_WITH_EVENT_TIME,
        )
        page, more = records[:size], len(records) > size
        return pb.ListDeliveriesResponse(
            deliveries=[messages.delivery_to_proto(record) for record in page],
            next_page_token=page_token("deliveries", page[-1].seq) if more else "",
        )

    async def CountDeliveries(
        self, request: pb.CountDeliveriesRequest, context: Context
    ) -> pb.CountDeliveriesResponse:
        counts = await self._use.listing.counts(messages.filter_from_proto(request.filter))
        return pb.CountDeliveriesResponse(
            counts=messages.counts_to_proto(counts), total=sum(counts.values())
        )

    async def GetDelivery(
        self, request: pb.GetDeliveryRequest, context: Context
    ) -> pb.GetDeliveryResponse:
        record = await self._use.listing.find(messages.line(request.delivery_id))
        return pb.GetDeliveryResponse(delivery=messages.delivery_to_proto(record))

    async def RetryDeliveries(
        self, request: pb.RetryDeliveriesRequest, context: Context
    ) -> pb.RetryDeliveriesResponse:
        changes = self._use.dispatcher.changes
        retried = await self._use.requests.retry(
            messages.filter_from_proto(request.filter),
            self._use.outlook.admit,
            caller_of(context),
            dry_run=request.dry_run,
        )
        if not request.dry_run:
            self._use.dispatcher.noticed(retried.targets, changes)
        return pb.RetryDeliveriesResponse(
            count=retried.counts.total(), counts=messages.counts_to_proto(retried.counts)
        )

    async def CancelDeliveries(
        self, request: pb.CancelDeliveriesRequest, context: Context
    ) -> pb.CancelDeliveriesResponse:
        counts = await self._use.requests.cancel(
            messages.filter_from_proto(request.filter),
            caller_of(context),
            dry_run=request.dry_run,
        )
        self._use.outcomes.nudge()
        return pb.CancelDeliveriesResponse(
            count=counts.total(), counts=messages.counts_to_proto(counts)
        )

    async def GetTargetStatus(
        self, request: pb.GetTargetStatusRequest, context: Context
    ) -> pb.GetTargetStatusResponse:
        _require_uid(request.target_uid)
        status = await self._use.listing.target_status(request.target_uid)
        return messages.status_to_proto(status, await self._use.queue.held_since())

    async def ListTargetStatuses(
        self, request: pb.ListTargetStatusesRequest, context: Context
    ) -> pb.ListTargetStatusesResponse:
        if len(request.target_uids) > MAX_PAGE_SIZE:
            fault = f"are more than {MAX_PAGE_SIZE}"
            raise InvalidArgument.of([FieldViolation("target_uids", fault)])
        size = page_size(request.page_size)
        after = read_page_name("target_statuses", request.page_token)
        uids = set(request.target_uids) or self._use.outlook.configured_uids()
        behind = sorted(uid for uid in uids if uid > after)
        page, more = behind[:size], len(behind) > size
        statuses = await self._use.listing.target_statuses(page)
        held_since = await self._use.queue.held_since()
        return pb.ListTargetStatusesResponse(
            target_statuses=[
                pb.TargetStatus(
                    target_uid=uid, status=messages.status_to_proto(statuses[uid], held_since)
                )
                for uid in page
            ],
            next_page_token=page_token("target_statuses", page[-1]) if more else "",
        )

    async def ListTroubledTargets(
        self, request: pb.ListTroubledTargetsRequest, context: Context
    ) -> pb.ListTroubledTargetsResponse:
        troubled = await self._use.queue.troubled()
        return pb.ListTroubledTargetsResponse(
            targets=[
                pb.TroubledTarget(
                    target_uid=uid,
                    health=messages.health_of(breaker),
                    trouble_since=moment_to_proto(breaker.since),
                    trouble_reason=breaker.reason,
                )
                for uid, breaker in sorted(troubled.items())
                if not self._use.outlook.is_deleted(uid)
            ],
            held_since=moment_to_proto(await self._use.queue.held_since()),
        )

    async def ResumeTarget(
        self, request: pb.ResumeTargetRequest, context: Context
    ) -> pb.ResumeTargetResponse:
        _require_uid(request.target_uid)
        target = self._use.outlook.target(request.target_uid)
        revision = 0 if target is None else target.revision
        asked = Asked(caller_of(context), self._use.outlook.name_of(request.target_uid))
        count = await self._use.queue.try_again(request.target_uid, revision, asked)
        self._use.dispatcher.examine_soon()
        return pb.ResumeTargetResponse(count=count)

    async def HoldDeliveries(
        self, request: pb.HoldDeliveriesRequest, context: Context
    ) -> pb.HoldDeliveriesResponse:
        since = await self._use.queue.hold(caller_of(context))
        self._use.dispatcher.held(is_held=True)
        return pb.HoldDeliveriesResponse(held_since=moment_to_proto(since))

    async def ReleaseDeliveries(
        self, request: pb.ReleaseDeliveriesRequest, context: Context
    ) -> pb.ReleaseDeliveriesResponse:
        since = await self._use.queue.held_since()
        count = await self._use.queue.release(caller_of(context), dry_run=request.dry_run)
        if not request.dry_run:
            self._use.dispatcher.held(is_held=False)
        return pb.ReleaseDeliveriesResponse(held_since=moment_to_proto(since), count=count)

    async def ListObligationIds(
        self, request: pb.ListObligationIdsRequest, context: Context
    ) -> pb.ListObligationIdsResponse:
        size = page_size(request.page_size, MAX_IDS, MAX_IDS)
        after = read_page_name("obligation_ids", request.page_token) or request.after
        ids = await self._use.listing.ids(size=size + 1, after=messages.line(after))
        page, more = ids[:size], len(ids) > size
        return pb.ListObligationIdsResponse(
            ids=[
                pb.ObligationId(
                    delivery_id=each.delivery_id,
                    kind=messages.kind_to_proto(each.kind),
                    state=messages.state_to_proto(each.state),
                    create_time=moment_to_proto(each.created_at),
                    derived=each.is_derived,
                )
                for each in page
            ],
            next_page_token=page_token("obligation_ids", page[-1].delivery_id) if more else "",
            # Read after the ids: what was gone by then is not after it.
            retired_before=moment_to_proto(await self._use.listing.retired_before()),
        )

    async def AwaitConfig(
        self, request: pb.AwaitConfigRequest, context: Context
    ) -> pb.AwaitConfigResponse:
        snapshot = await self._use.watcher.at_least(request.revision)
        await self._use.dispatcher.examined()
        held = await self._use.held_keys.ids()
        return pb.AwaitConfigResponse(revision=snapshot.revision, key_ids=sorted(held))

    async def WatchOutcomes(
        self, request: pb.WatchOutcomesRequest, context: Context
    ) -> AsyncIterator[pb.WatchOutcomesResponse]:
        async for page in self._use.outcomes.follow(request.cursor):
            for response in messages.outcomes_to_proto(page, self._use.outlook.name_of):
                yield response

    async def ListDigests(
        self, request: pb.ListDigestsRequest, context: Context
    ) -> pb.ListDigestsResponse:
        size = page_size(request.page_size)
        found = await self._use.digests.page(
            messages.line(request.group),
            size=size + 1,
            before=read_page_number("digests", request.page_token),
            open_only=request.open_only,
            digest_id=messages.line(request.digest_id),
        )
        page, more = found[:size], len(found) > size
        return pb.ListDigestsResponse(
            digests=[digest_messages.window_to_proto(each) for each in page],
            next_page_token=page_token("digests", page[-1].window.seq) if more else "",
        )

    async def PreviewDigest(
        self, request: pb.PreviewDigestRequest, context: Context
    ) -> pb.PreviewDigestResponse:
        preview = await self._use.digests.preview(messages.line(request.digest_id))
        return digest_messages.preview_to_proto(preview)

    async def FlushDigest(
        self, request: pb.FlushDigestRequest, context: Context
    ) -> pb.FlushDigestResponse:
        delivery_id = await self._use.digests.flush(
            messages.line(request.digest_id), caller_of(context)
        )
        return pb.FlushDigestResponse(delivery_id=delivery_id)


def _tested(
    request: pb.TestTargetRequest | pb.StreamTargetTestRequest,
) -> tuple[Target, Mapping[str, bytes]]:
    """What is to be tested, and its sealed secrets by field."""
    try:
        target = target_from_proto(request.target)
    except ValueError as error:
        raise InvalidArgument.of([FieldViolation("target", str(error))]) from error
    return target, {secret.field: secret.ciphertext for secret in request.secrets}


def _require_uid(uid: str) -> None:
    if not uid:
        raise InvalidArgument.of([FieldViolation("target_uid", "is missing")])
