"""Tells Config when tokens were last used here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import grpc

from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.status import from_rpc_error, naming_service
from ibs_notify.rpc.token_uses import Report
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub

_AT_ONCE = 1000
_SECONDS = 10.0


def report_to_config(channel: grpc.aio.Channel) -> Report:
    """A report over ``channel``, for ``TokenUses.run``."""
    stub = ConfigServiceStub(channel)

    async def report(uses: Mapping[str, datetime]) -> None:
        told = [
            pb.TokenUse(token_id=token_id, time=moment_to_proto(at))
            for token_id, at in uses.items()
        ]
        try:
            for start in range(0, len(told), _AT_ONCE):
                request = pb.ReportTokenUseRequest(uses=told[start : start + _AT_ONCE])
                await stub.ReportTokenUse(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise naming_service(from_rpc_error(error), "config") from error

    return report
