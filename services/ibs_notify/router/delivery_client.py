"""The Delivery service over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from sys import intern

import grpc
from google.protobuf.message import DecodeError

from ibs_notify.domain.clock import from_micros
from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.router.identity import Kind, obligation_id
from ibs_notify.router.ports import (
    DeliveryId,
    End,
    Ended,
    Handoff,
    Outcome,
    TargetHealth,
    TargetTurned,
    Turn,
)
from ibs_notify.rpc.convert import moment_from_proto
from ibs_notify.rpc.paging import MAX_PAGE_SIZE
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ironcore.notification.v1 import delivery_pb2, delivery_service_pb2
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub

DELIVER_SECONDS = 20.0
ASK_SECONDS = 5.0
"""Somebody waits for what is asked here."""
_AT_ONCE = 20
MOST_OUTCOMES = 500
"""The most that are handled in one transaction."""
_PAGE = 10_000
_REQUEST_BYTES = 2 * 1024 * 1024
"""Of a request; Delivery refuses one of over 4 MiB, and an event has 1 MiB at most."""
_HANDOFF_BYTES = 512
"""What a handoff has beside its event and its recipients, about."""
_KINDS = {
    Kind.EVENT: delivery_pb2.DELIVERY_KIND_EVENT,
    Kind.SUMMARY: delivery_pb2.DELIVERY_KIND_SUMMARY,
}
_DERIVED = (delivery_pb2.DELIVERY_KIND_DIGEST, delivery_pb2.DELIVERY_KIND_TEST)
"""What Delivery makes by itself; weekly summaries, too, which it says."""


class DeliveryClient:
    """Implements ``ports.DeliveryPort`` and ``ports.DeliveryAnswers``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DeliveryServiceStub(channel)

    async def deliver(self, handoffs: Sequence[Handoff]) -> None:
        try:
            for request in _requests(handoffs):
                await self._stub.Deliver(request, timeout=DELIVER_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "delivery") from error

    async def target_healths(self, target_uids: Sequence[str]) -> Mapping[str, TargetHealth]:
        found: dict[str, TargetHealth] = {}
        for start in range(0, len(target_uids), MAX_PAGE_SIZE):
            request = delivery_service_pb2.ListTargetStatusesRequest(
                target_uids=target_uids[start : start + MAX_PAGE_SIZE], page_size=MAX_PAGE_SIZE
            )
            try:
                answer = await self._stub.ListTargetStatuses(request, timeout=ASK_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise naming_service(from_rpc_error(error), "delivery") from error
            found |= {each.target_uid: _health(each.status) for each in answer.target_statuses}
        return found

    async def deliveries(self, delivery_ids: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(delivery_ids), _AT_ONCE):
            ids = delivery_ids[start : start + _AT_ONCE]
            for each in await asyncio.gather(*map(self._delivery, ids)):
                if each is not None:
                    found[each.delivery_id] = each.SerializeToString()
        return found

    async def _delivery(self, delivery_id: str) -> delivery_pb2.Delivery | None:
        request = delivery_service_pb2.GetDeliveryRequest(delivery_id=delivery_id)
        try:
            answer = await self._stub.GetDelivery(request, timeout=ASK_SECONDS)
        except grpc.aio.AioRpcError as error:
            failure = naming_service(from_rpc_error(error), "delivery")
            if isinstance(failure, NotFound):
                return None
            raise failure from error
        return answer.delivery

    async def ids(self, after: str, limit: int) -> Sequence[DeliveryId]:
        ids: list[DeliveryId] = []
        request = delivery_service_pb2.ListObligationIdsRequest(after=after)
        try:
            while True:
                request.page_size = min(limit - len(ids), _PAGE)
                page = await self._stub.ListObligationIds(request, timeout=DELIVER_SECONDS)
                ids.extend(_delivery_id(each) for each in page.ids)
                if len(ids) >= limit or not page.next_page_token:
                    return ids
                request.page_token = page.next_page_token
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "delivery") from error

    async def retired_before(self) -> int:
        request = delivery_service_pb2.ListObligationIdsRequest(page_size=1)
        try:
            answer = await self._stub.ListObligationIds(request, timeout=ASK_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "delivery") from error
        return answer.retired_before.ToMicroseconds()

    async def outcomes(self, cursor: str) -> AsyncGenerator[tuple[str, Sequence[Outcome]], None]:
        call = self._stub.WatchOutcomes(delivery_service_pb2.WatchOutcomesRequest(cursor=cursor))
        outcomes: list[Outcome] = []
        try:
            async for message in call:
                outcome = _outcome(message)
                if outcome is not None:
                    outcomes.append(outcome)
                if message.current or len(outcomes) >= MOST_OUTCOMES:
                    yield message.cursor, outcomes
                    outcomes = []
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "delivery") from error
        finally:
            call.cancel()


def _requests(handoffs: Sequence[Handoff]) -> Iterator[delivery_service_pb2.DeliverRequest]:
    """As few as the bound of a message allows."""
    request, room = delivery_service_pb2.DeliverRequest(), _REQUEST_BYTES
    for each in handoffs:
        size = len(each.body) + sum(map(len, each.recipients)) + _HANDOFF_BYTES
        if request.handoffs and size > room:
            yield request
            request, room = delivery_service_pb2.DeliverRequest(), _REQUEST_BYTES
        room -= size
        message = request.handoffs.add(
            delivery_id=each.delivery_id,
            obligation_id=obligation_id(each.event_id, each.position),
            target_uid=each.route.target_uid,
            target=each.route.target,
            group=each.route.group,
            subscription_uid=each.route.subscription_uid,
            kind=_KINDS[each.kind],
            recipients=each.recipients,
            revision=each.revision,
            digest=each.digest,
            suppressed_count=each.suppressed,
        )
        try:
            message.event.MergeFromString(each.body)
        except DecodeError:
            # As what Delivery refuses: it alone rests, and holds up nothing else.
            raise InvalidArgument(Reason.EVENT_INVALID, "the stored event is damaged") from None
        if each.suppressed_since is not None:
            message.suppressed_since.FromDatetime(from_micros(each.suppressed_since))
    yield request


def _health(status: delivery_service_pb2.GetTargetStatusResponse) -> TargetHealth:
    failing = status.HasField("failing_since")
    return TargetHealth(
        status.paused_reason,
        moment_from_proto(status.failing_since) if failing else None,
        status.last_failure,
    )


def _delivery_id(message: delivery_service_pb2.ObligationId) -> DeliveryId:
    name = delivery_pb2.DeliveryState.Name(message.state)
    return DeliveryId(
        message.delivery_id,
        # One text for all that have it: there are many ids.
        intern(name.removeprefix("DELIVERY_STATE_").lower()),
        message.derived or message.kind in _DERIVED,
        message.create_time.ToMicroseconds(),
    )


_ENDS = {
    delivery_pb2.DELIVERY_STATE_DEAD: End.DEAD,
    delivery_pb2.DELIVERY_STATE_CANCELLED: End.CANCELLED,
}


_TURNS = {
    delivery_service_pb2.TARGET_HEALTH_FAILING: Turn.FAILING,
    delivery_service_pb2.TARGET_HEALTH_OK: Turn.RECOVERED,
    delivery_service_pb2.TARGET_HEALTH_PAUSED: Turn.PAUSED,
}


def _outcome(message: delivery_service_pb2.WatchOutcomesResponse) -> Outcome | None:
    """``None`` for the marker, and for what a later release may tell."""
    end = _ENDS.get(message.delivery.state)
    if end is not None:
        return _ended(message.delivery, end)
    change = message.target_change
    turn = _TURNS.get(change.health)
    if turn is None:
        return None
    return TargetTurned(
        change.target,
        change.target_uid,
        turn,
        moment_from_proto(change.change_time),
        moment_from_proto(change.trouble_since),
        change.reason,
        change.detail,
    )


def _ended(message: delivery_pb2.Delivery, end: End) -> Ended:
    return Ended(
        message.delivery_id,
        message.obligation_id,
        message.event_id,
        message.event_type,
        message.target,
        message.target_uid,
        message.group,
        end,
        message.reason,
        message.detail,
        moment_from_proto(message.close_time),
    )
