"""Whatever is sent to an rpc: it is answered properly, and the books balance after it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.any_message import AnyMessage
from tests.support.any_request import Told, Trio, furnish, send_any, send_bytes, trio

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub

ROUNDS = 12
"""Messages for each rpc; `python -m tests.fuzz rpcs` sends more."""


async def balanced(around: Trio) -> bool:
    router = RouterServiceStub(around.channels["router"])
    books = await router.VerifyLedger(pb.VerifyLedgerRequest(), timeout=20)
    return books.balanced


async def test_every_answer_is_ok_or_a_status_that_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await send_to_all(tmp_path, caplog, seed=1)


async def test_the_same_is_true_over_postgresql(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, postgres_url: str
) -> None:
    await send_to_all(tmp_path, caplog, seed=2, database_url=postgres_url)


async def send_to_all(
    home: Path, caplog: pytest.LogCaptureFixture, seed: int, database_url: str = ""
) -> None:
    told, maker, chance = Told(), AnyMessage(seed), random.Random(seed)
    async with trio(home, database_url) as around:
        await furnish(around)
        for turn in range(ROUNDS):
            for rpc in around.rpcs():
                if turn % 4 == 0:
                    await send_bytes(rpc, chance, maker, told)
                elif turn < 3 or not rpc.waits:
                    await send_any(rpc, maker, told)
        assert not told.faults
        assert told.statuses["OK"] > told.calls / 10
        assert await balanced(around)
    assert "a handler failed" not in caplog.text


async def test_bytes_that_are_no_message_are_the_callers_fault(tmp_path: Path) -> None:
    async with trio(tmp_path) as around:
        for rpc in around.rpcs():
            told = Told()
            await send_bytes(rpc, random.Random(1), AnyMessage(1), told)
            assert not told.faults
        emit: Any = around.channels["router"].unary_unary(
            "/ironcore.notification.v1.RouterService/Emit"
        )
        with pytest.raises(Exception, match="is not a message of this call") as caught:
            await emit(b"\xff\xff")
        error = from_rpc_error(caught.value)  # type: ignore[arg-type]
        assert isinstance(error, InvalidArgument)
        assert error.reason is Reason.FIELD_INVALID
