"""What callers may hold and send, on real servers: each bound that docs/api.md names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hyperframe.frame import DataFrame, HeadersFrame, PingFrame
from tests.support.router import PATIENCE_SECONDS, Surroundings, surrounded
from tests.system.abusers import PREFACE, SERVICE, Peer, emit_body, message

from ibs_notify.domain.bounds import MAX_EVENT_BYTES
from ibs_notify.domain.errors import InvalidArgument, Reason, ResourceExhausted
from ibs_notify.rpc import channel as channels
from ibs_notify.rpc import server as servers
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.interceptors import ErrorInterceptor
from ibs_notify.rpc.load import Load
from ibs_notify.rpc.logs import configure_logging
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import (
    RouterServiceServicer,
    RouterServiceStub,
    add_RouterServiceServicer_to_server,
)

Context = grpc.aio.ServicerContext[Any, Any]


class Patient(RouterServiceServicer):
    """Answers nothing until told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Semaphore(0)

    async def Emit(self, request: pb.EmitRequest, context: Context) -> pb.EmitResponse:
        self.begun.release()
        await self.go_on.wait()
        return pb.EmitResponse()

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        self.begun.release()
        yield pb.WatchEventsResponse()
        await self.go_on.wait()


@asynccontextmanager
async def patient(**options: Any) -> AsyncIterator[tuple[Patient, grpc.aio.Channel, str]]:
    """A server that answers nothing, with some of its limits made small."""
    servicer = Patient()  # type: ignore[abstract]  # the other rpcs are not called
    with ExitStack() as stack:
        for name, value in options.items():
            stack.enter_context(patch.object(servers, name, value))
        server = RpcServer("127.0.0.1:0", "test", reflect=False)
        add_RouterServiceServicer_to_server(servicer, server.grpc_server)
        await server.start()
    async with open_plain_channel(f"127.0.0.1:{server.port}") as channel:
        try:
            yield servicer, channel, f"127.0.0.1:{server.port}"
        finally:
            servicer.go_on.set()
            await server.grpc_server.stop(None)


@asynccontextmanager
async def over_tls() -> AsyncIterator[int]:
    """The port of a server with the same limits, for clients that speak TLS."""
    certificate = trustme.CA().issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    server = grpc.aio.server(options=list(servers._OPTIONS))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    yield port
    await server.stop(None)


async def refused(call: Any) -> Exception:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, PATIENCE_SECONDS)
    return from_rpc_error(caught.value)


def interceptor(calls: int, streams: int) -> Any:
    return lambda: ErrorInterceptor(calls, streams)


async def healthy(channel: grpc.aio.Channel) -> bool:
    stub = health_pb2_grpc.HealthStub(channel)
    check: Any = stub.Check  # type: ignore[attr-defined]  # its stub is made at run time
    await check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS)
    return True


async def test_a_busy_service_refuses_calls_with_a_reason_and_still_answers_for_its_health() -> (
    None
):
    async with patient(ErrorInterceptor=interceptor(2, 1)) as (servicer, channel, _):
        stub = RouterServiceStub(channel)
        calls = [stub.Emit(pb.EmitRequest()) for _ in range(2)]
        for _ in calls:
            await servicer.begun.acquire()
        error = await refused(stub.Emit(pb.EmitRequest()))
        assert isinstance(error, ResourceExhausted)
        assert error.reason is Reason.TOO_MANY_REQUESTS
        assert error.retry_after.total_seconds() > 0
        assert await healthy(channel)
        servicer.go_on.set()
        await asyncio.gather(*calls)
        await stub.Emit(pb.EmitRequest(), timeout=PATIENCE_SECONDS)


async def test_streams_never_take_the_place_of_calls() -> None:
    async with patient(ErrorInterceptor=interceptor(1, 2)) as (servicer, channel, _):
        stub = RouterServiceStub(channel)
        watches = [stub.WatchEvents(pb.WatchEventsRequest()) for _ in range(2)]
        for watch in watches:
            await watch.read()
        error = await refused(stub.WatchEvents(pb.WatchEventsRequest()).read())
        assert isinstance(error, ResourceExhausted)
        call = stub.Emit(pb.EmitRequest())
        servicer.go_on.set()
        await asyncio.wait_for(call, PATIENCE_SECONDS)


async def test_a_call_that_its_caller_left_makes_room_at_once() -> None:
    async with patient(ErrorInterceptor=interceptor(1, 1)) as (servicer, channel, _):
        stub = RouterServiceStub(channel)
        for _ in range(20):
            call = stub.Emit(pb.EmitRequest(), wait_for_ready=True)
            watch = stub.WatchEvents(pb.WatchEventsRequest())
            await servicer.begun.acquire()
            await servicer.begun.acquire()
            call.cancel()
            watch.cancel()
            # Refused calls are answered too: until one is let in, none was.
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await _let_in(stub, servicer):
                    pass


async def _let_in(stub: Any, servicer: Patient) -> bool:
    try:
        await stub.Emit(pb.EmitRequest(), timeout=0.05)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return False
    await servicer.begun.acquire()
    return True


def test_what_is_over_gives_back_its_place_also_where_it_failed() -> None:
    load = Load(1, "calls")
    for _ in range(3):
        with pytest.raises(KeyError), load:
            raise KeyError
    with load, pytest.raises(ResourceExhausted, match="1 calls are under way"), load:
        pass


async def test_metadata_over_16_kib_is_refused() -> None:
    async with patient() as (servicer, channel, _):
        stub = RouterServiceStub(channel)
        servicer.go_on.set()
        await stub.Emit(pb.EmitRequest(), metadata=[("x-large", "v" * 7000)])
        error = await refused(stub.Emit(pb.EmitRequest(), metadata=[("x-large", "v" * 20_000)]))
        assert isinstance(error, ResourceExhausted)
        await stub.Emit(pb.EmitRequest())


async def test_compressed_messages_are_refused_unopened() -> None:
    async with patient() as (servicer, channel, _):
        servicer.go_on.set()
        bomb = pb.EmitRequest()
        bomb.event.summary = "\0" * 3_000_000
        stub = RouterServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="'gzip' is disabled") as caught:
            await stub.Emit(bomb, compression=grpc.Compression.Gzip)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        await stub.Emit(bomb)


async def test_a_connection_over_the_bound_is_closed_and_those_before_it_work_on() -> None:
    async with patient(most_connections=lambda: 3) as (servicer, channel, address):
        servicer.go_on.set()
        stub = RouterServiceStub(channel)
        await stub.Emit(pb.EmitRequest())
        peers = [await Peer.connect(address) for _ in range(5)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            waits = [asyncio.ensure_future(peer.ended.wait()) for peer in peers]
            ends = asyncio.as_completed(waits)
            for _ in range(3):
                await next(ends)
        for wait in waits:
            wait.cancel()
        await stub.Emit(pb.EmitRequest())
        for peer in peers:
            peer.close()


async def test_who_pings_without_end_is_sent_away() -> None:
    async with patient() as (_, _channel, address):
        peer = await Peer.connect(address)

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not peer.ended.is_set():
                peer.send(PingFrame(0, b"12345678"))
                await asyncio.sleep(0)
        peer.close()


def test_our_own_channels_ping_less_often_than_the_servers_allow() -> None:
    allowed = dict(servers._OPTIONS)["grpc.http2.min_ping_interval_without_data_ms"]
    assert dict(channels.OPTIONS)["grpc.keepalive_time_ms"] >= 2 * allowed


@pytest.mark.slow
async def test_who_connects_and_says_nothing_is_sent_away_within_the_handshakes_time() -> None:
    async with patient() as (_, _channel, address), over_tls() as secured:
        host, _, port = address.rpartition(":")
        mute = await asyncio.open_connection(host, secured)
        silent = await asyncio.open_connection(host, int(port))
        half = await asyncio.open_connection(host, int(port))
        half[1].write(PREFACE)
        async with asyncio.timeout(15):
            await asyncio.gather(mute[0].read(-1), silent[0].read(-1), half[0].read(-1))
        for _, writer in (mute, silent, half):
            writer.close()


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surrounded(tmp_path) as found:
        yield found


async def test_an_event_over_256_kib_is_refused_alone_also_within_a_batch(
    around: Surroundings,
) -> None:
    large = event_pb2.Event(type="backup.failed", summary="\U0001f600" * 32_768)
    large.labels.update({f"k{n}": "\u2014" * 1024 for n in range(64)})
    assert large.ByteSize() > MAX_EVENT_BYTES
    error = await refused(around.stub.Emit(pb.EmitRequest(event=large)))
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.EVENT_INVALID
    small = event_pb2.Event(type="backup.failed")
    answer = await around.stub.EmitBatch(pb.EmitBatchRequest(events=[small, large, small]))
    assert [each.HasField("error") for each in answer.results] == [False, True, False]


async def test_an_event_with_every_field_at_its_bound_is_accepted(around: Surroundings) -> None:
    event = event_pb2.Event(
        event_id="e" * 128,
        type="backup." + "f" * 57,
        subject="s" * 1000,
        summary="s" * 32_768,
        task_id="t" * 512,
        actor="a" * 256,
        resource="r" * 1024,
        task_url="u" * 2048,
        dedup_key="d" * 256,
        labels={f"{n:064}": "v" * 1024 for n in range(64)},
        links={f"{n:064}": "v" * 2048 for n in range(16)},
        groups=[f"{n:064}" for n in range(32)],
    )
    await around.stub.Emit(pb.EmitRequest(event=event))


async def test_emits_that_are_cancelled_are_stored_whole_or_not_at_all(
    around: Surroundings,
) -> None:
    for number in range(200):
        request = pb.EmitRequest()
        request.event.type = "backup.completed"
        request.event.event_id = f"c{number}"
        call = around.stub.Emit(request)
        for _ in range(number % 8):
            await asyncio.sleep(0)
        call.cancel()
    await around.emit("after")
    books = await around.stub.VerifyLedger(pb.VerifyLedgerRequest())
    assert books.balanced
    listed = await around.stub.ListEvents(pb.ListEventsRequest(page_size=1000))
    stored = {each.event.event_id for each in listed.events}
    assert "after" in stored
    for number in range(200):
        # Whoever was left without an answer sends it again, and has it once.
        answer = await around.emit(f"c{number}", type="backup.completed")
        assert answer.duplicate is (f"c{number}" in stored)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", emit_body()[:9], message(b"\xff\xff\xff")],
    ids=["nothing", "half a length", "half a message", "no message"],
)
async def test_a_broken_call_is_no_fault_of_the_service_and_leaves_nothing_behind(
    around: Surroundings, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    peer = await Peer.connect(f"127.0.0.1:{around.router.app.port}")
    headers = peer.headers("Emit")
    peer.send(headers, DataFrame(headers.stream_id, body, flags=["END_STREAM"]))
    await peer.drain()
    await around.emit("after")
    peer.close()
    books = await around.stub.VerifyLedger(pb.VerifyLedgerRequest())
    assert books.balanced
    assert books.accepted_events == 1
    assert "a handler failed" not in caplog.text


async def test_headers_that_are_no_text_are_not_quoted_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    configure_logging("router", "info")
    async with patient() as (servicer, _, address):
        peer = await Peer.connect(address)
        _send_raw(peer, 1, b"Emit\xff", b"Bearer ibsn_5ec2e7")
        _send_raw(peer, 3, b"Emit", b"Bearer ibsn_5ec2e7\xff")
        await asyncio.wait_for(servicer.begun.acquire(), PATIENCE_SECONDS)
        peer.close()
    said = capfd.readouterr().err
    assert "listening on" in said
    assert "ibsn_5ec2e7" not in said
    assert "Traceback" not in said


def _send_raw(peer: Peer, stream: int, method: bytes, authorization: bytes) -> None:
    """A call with headers of any bytes."""
    headers: dict[bytes | str, bytes | str] = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": SERVICE.encode() + method,
        b":authority": b"localhost",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
        b"authorization": authorization,
    }
    peer.send(
        HeadersFrame(stream, peer.encoder.encode(headers), flags=["END_HEADERS"]),
        DataFrame(stream, emit_body(), flags=["END_STREAM"]),
    )
