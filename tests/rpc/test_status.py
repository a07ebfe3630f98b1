"""Every error crosses the wire and comes back equal; what is too long for it is cut, not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ibs_notify.domain import errors
from ibs_notify.domain.errors import FieldViolation, NotificationError, Reason
from ibs_notify.rpc.channel import open_blocking_plain_channel, open_plain_channel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.status import ERROR_DOMAIN, from_rpc_error
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import (
    RouterServiceServicer,
    RouterServiceStub,
    add_RouterServiceServicer_to_server,
)

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceAsyncStub

Context = grpc.aio.ServicerContext[Any, Any]
SOON = timedelta(seconds=2, milliseconds=500)
PLACES = [FieldViolation("group.subscriptions[1].rule", "is wrong"), FieldViolation("name", "x")]

EVERY_ERROR: list[NotificationError] = [
    errors.InvalidArgument(Reason.RULE_INVALID, "line 1", advice="quote it", violations=PLACES),
    errors.InvalidArgument(Reason.FIELD_INVALID, "no fields named"),
    errors.NotFound(Reason.TARGET_NOT_FOUND, "there is no target 'x'", advice="list them"),
    errors.AlreadyExists(Reason.GROUP_EXISTS, "there is a group 'x'"),
    errors.FailedPrecondition(Reason.TARGET_IN_USE, "it is in use", advice="use --force"),
    errors.Aborted(Reason.ETAG_MISMATCH, "somebody else changed it"),
    errors.OutOfRange(Reason.RESUME_TOKEN_EXPIRED, "too old"),
    errors.ResourceExhausted(Reason.STORAGE_FULL, "the disk is full", retry_after=SOON),
    errors.Unavailable(Reason.NOT_READY, "not yet", advice="wait", retry_after=SOON),
    errors.Unimplemented(Reason.NOT_IMPLEMENTED, "not yet of this release"),
    errors.Unauthenticated(Reason.UNAUTHENTICATED, "who are you?"),
    errors.PermissionDenied(Reason.PERMISSION_DENIED, "you may not"),
    errors.Internal(Reason.INTERNAL, "a fault of ours", advice="see the log"),
]


@dataclass
class Failing(RouterServiceServicer):
    """Raises what it is told to, in every shape of rpc."""

    error: BaseException = field(default_factory=lambda: ValueError("none given"))

    async def Emit(self, request: pb.EmitRequest, context: Context) -> pb.EmitResponse:
        raise self.error

    async def EmitStream(
        self, request_iterator: AsyncIterator[pb.EmitStreamRequest], context: Context
    ) -> AsyncIterator[pb.EmitStreamResponse]:
        async for _ in request_iterator:
            yield pb.EmitStreamResponse()
            raise self.error

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        yield pb.WatchEventsResponse(resume_token="1")
        raise self.error


@dataclass(frozen=True)
class Wire:
    servicer: Failing
    address: str
    stub: RouterServiceAsyncStub

    async def failure(self, error: BaseException) -> grpc.aio.AioRpcError:
        self.servicer.error = error
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.stub.Emit(pb.EmitRequest())
        return caught.value

    async def there_and_back(self, error: BaseException) -> NotificationError:
        return from_rpc_error(await self.failure(error))


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    servicer = Failing()  # type: ignore[abstract]  # nobody calls the other rpcs
    server = RpcServer("127.0.0.1:0", "test", reflect=False)
    add_RouterServiceServicer_to_server(servicer, server.grpc_server)
    await server.start()
    address = f"127.0.0.1:{server.port}"
    async with open_plain_channel(address) as channel:
        yield Wire(servicer, address, RouterServiceStub(channel))
    await server.stop()


def parts(error: NotificationError) -> tuple[object, ...]:
    return (
        type(error),
        error.reason,
        error.message,
        error.advice,
        getattr(error, "violations", None),
        getattr(error, "retry_after", None),
    )


def kinds(base: type[NotificationError] = NotificationError) -> Iterator[type[NotificationError]]:
    for kind in base.__subclasses__():
        if kind.__module__ == errors.__name__ and not kind.__name__.startswith("_"):
            yield kind
        yield from kinds(kind)


def test_the_table_has_every_kind_of_error() -> None:
    assert {type(error) for error in EVERY_ERROR} == set(kinds())


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: str(error.reason))
async def test_an_error_comes_back_as_it_was_raised(wire: Wire, error: NotificationError) -> None:
    assert parts(await wire.there_and_back(error)) == parts(error)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: str(error.reason))
async def test_every_failure_carries_its_details(wire: Wire, error: NotificationError) -> None:
    status = rpc_status.from_call(await wire.failure(error))  # type: ignore[arg-type]  # it is a Call
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    found = [
        message
        for detail in status.details
        for message in (info, bad, retry)
        if detail.Unpack(message)
    ]
    limited = isinstance(error, errors.ResourceExhausted | errors.Unavailable)
    of_fields = isinstance(error, errors.InvalidArgument) and bool(error.violations)
    assert found == [info, *([bad] if of_fields else []), *([retry] if limited else [])]
    assert (info.domain, info.reason) == (ERROR_DOMAIN, error.reason.value)
    assert info.metadata.get("advice", "") == error.advice


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_comes_back(wire: Wire, reason: Reason) -> None:
    assert (await wire.there_and_back(errors.NotFound(reason, "x"))).reason is reason


async def test_a_kind_derived_from_ours_travels_as_ours(wire: Wire) -> None:
    class RuleInvalid(errors.InvalidArgument):
        pass

    error = await wire.there_and_back(RuleInvalid(Reason.RULE_INVALID, "x"))
    assert type(error) is errors.InvalidArgument


@pytest.mark.parametrize("message", ["", " x ", "é😀", "a\nb", "a\x00b", "100%", "%C3%A9"])
async def test_any_text_of_a_message_comes_back(wire: Wire, message: str) -> None:
    error = errors.NotFound(Reason.EVENT_NOT_FOUND, message, advice=message)
    assert parts(await wire.there_and_back(error)) == parts(error)


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\n"])
async def test_a_message_too_long_for_the_wire_is_cut(wire: Wire, letter: str) -> None:
    text = letter * 100_000
    error = await wire.there_and_back(errors.NotFound(Reason.EVENT_NOT_FOUND, text, advice=text))
    assert isinstance(error, errors.NotFound)
    assert error.reason is Reason.EVENT_NOT_FOUND
    assert error.message.endswith("…")
    assert text.startswith(error.message[:-1])
    assert error.advice.endswith("…")


@pytest.mark.parametrize("letter", ["k", "é", "😀"])
async def test_of_too_many_violations_the_first_come_with_the_number_of_the_others(
    wire: Wire, letter: str
) -> None:
    many = [FieldViolation(f"labels[{letter * 60}{n}]", "is too long") for n in range(200)]
    error = await wire.there_and_back(errors.InvalidArgument.of(many, Reason.EVENT_INVALID))
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason is Reason.EVENT_INVALID
    *first, last = error.violations
    assert first == many[: len(first)]
    assert len(first) >= 5
    assert last == FieldViolation("", f"and {200 - len(first)} more")


async def test_half_a_surrogate_pair_in_a_message_is_no_second_fault(wire: Wire) -> None:
    error = await wire.there_and_back(errors.NotFound(Reason.EVENT_NOT_FOUND, "\ud800"))
    assert error.reason is Reason.EVENT_NOT_FOUND


async def test_what_nobody_meant_to_raise_is_internal_and_says_nothing_of_itself(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    error = await wire.there_and_back(ValueError("the password is hunter2"))
    assert isinstance(error, errors.Internal)
    assert "hunter2" not in str(error)
    assert "a handler failed" in caplog.text


async def test_a_stream_gives_what_it_had_and_then_the_error(wire: Wire) -> None:
    wire.servicer.error = EVERY_ERROR[0]
    call = wire.stub.WatchEvents(pb.WatchEventsRequest())
    assert await call.read() == pb.WatchEventsResponse(resume_token="1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert parts(from_rpc_error(caught.value)) == parts(EVERY_ERROR[0])


async def test_a_stream_of_both_directions_does_so_too(wire: Wire) -> None:
    wire.servicer.error = EVERY_ERROR[8]
    call = wire.stub.EmitStream()
    # No more than is read: a write that meets the end of the stream hides its status from grpc.aio.
    await call.write(pb.EmitStreamRequest())
    assert await call.read() == pb.EmitStreamResponse()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert parts(from_rpc_error(caught.value)) == parts(EVERY_ERROR[8])


async def test_a_blocking_client_gets_the_same_error(wire: Wire) -> None:
    wire.servicer.error = EVERY_ERROR[0]

    def call() -> NotificationError:
        with open_blocking_plain_channel(wire.address) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                RouterServiceStub(channel).Emit(pb.EmitRequest())
            return from_rpc_error(caught.value)

    assert parts(await asyncio.to_thread(call)) == parts(EVERY_ERROR[0])


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    async with open_plain_channel("127.0.0.1:1") as channel:
        stub: RouterServiceAsyncStub = RouterServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Emit(pb.EmitRequest())
    error = from_rpc_error(caught.value)
    assert isinstance(error, errors.Unavailable)
    assert error.reason is Reason.SERVICE_UNREACHABLE


async def test_a_call_that_takes_too_long_is_unavailable(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.stub.Emit(pb.EmitRequest(), timeout=-1)
    assert isinstance(from_rpc_error(caught.value), errors.Unavailable)


async def test_an_rpc_that_the_server_does_not_have_is_unimplemented(wire: Wire) -> None:
    async with open_plain_channel(wire.address) as channel:
        later: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/ironcore.notification.v1.RouterService/Later"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await later(b"")
    error = from_rpc_error(caught.value)
    assert isinstance(error, errors.Unimplemented)
    assert error.reason is Reason.NOT_IMPLEMENTED
