"""What the tests of audited calls share: the log of a service, as an auditor sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from ibs_notify.rpc.caller import USER_KEY
from ironcore.notification.v1 import audit_service_pb2 as pb
from ironcore.notification.v1.audit_service_pb2_grpc import AuditServiceStub

if TYPE_CHECKING:
    # Only the type stubs have it.
    from ironcore.notification.v1.audit_service_pb2_grpc import AuditServiceAsyncStub

ALICE = ((USER_KEY, "alice"),)


@dataclass(frozen=True, slots=True)
class Auditor:
    """Reads the log of the service at the end of a channel."""

    stub: AuditServiceAsyncStub

    @classmethod
    def at(cls, channel: grpc.aio.Channel) -> Auditor:
        return cls(AuditServiceStub(channel))

    async def entries(self, **request: Any) -> list[pb.AuditEntry]:
        """Those of the first page, the oldest first."""
        answer = await self.stub.ListAuditEntries(pb.ListAuditEntriesRequest(**request))
        return list(reversed(answer.entries))

    async def told(self) -> list[tuple[str, str, str]]:
        """Who did what to what."""
        return [(each.actor, each.action, each.subject) for each in await self.entries()]

    async def last(self) -> tuple[Any, Any]:
        """What the newest entry says of before and after; None for nothing."""
        entry = (await self.entries())[-1]
        before, after = (
            (json.loads(text) if text else None) for text in (entry.before, entry.after)
        )
        return before, after

    async def is_intact(self) -> bool:
        return (await self.stub.VerifyAuditLog(pb.VerifyAuditLogRequest())).intact
