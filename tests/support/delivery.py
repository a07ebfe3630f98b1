"""What the tests of Delivery share: a clock, handoffs, work in hand, a Config that only streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import (
    LIFETIME,
    AttemptEnd,
    Completion,
    Handoff,
    Kind,
    Recipient,
    Settlement,
    State,
    Work,
)
from ibs_notify.delivery.sending.settle import settle
from ibs_notify.delivery.targets.breaker import sign_of
from ibs_notify.delivery.transports.base import Outcome
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import config_service_pb2, delivery_pb2, event_pb2, settings_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import (
    ConfigServiceServicer,
    add_ConfigServiceServicer_to_server,
)
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import SealedSecret, Target

START = datetime(2026, 5, 21, 2, 15, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until told otherwise."""

    def __init__(self, now: datetime = START) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    def pass_time(self, **by: float) -> None:
        self.moment += timedelta(**by)


def handoff(number: int, **changes: Any) -> Handoff:
    """An obligation of the target ``t1``, which is accepted in the order of ``number``."""
    event = event_pb2.Event(
        event_id=f"evt-{number}",
        type="backup.failed",
        severity=event_pb2.SEVERITY_ERROR,
        subject=f"Backup {number}",
    )
    values: dict[str, Any] = {
        "delivery_id": f"{number:08x}-delivery",
        "obligation_id": f"evt-{number}/0",
        "event_id": f"evt-{number}",
        "event_type": "backup.failed",
        "severity": Severity.ERROR.value,
        "subject": f"Backup {number}",
        "target_uid": "t1",
        "target": "chat",
        "group": "ops-team",
        "kind": Kind.EVENT,
        "recipients": (),
        "revision": 1,
        "digest": False,
        "suppressed_count": 0,
        "suppressed_since": None,
        "body": event.SerializeToString(),
    }
    return Handoff(**{**values, **changes})


def sendable(_uid: str, _revision: int, _has_recipients: bool) -> Admission:
    """Admits everything."""
    return Admission.SENDABLE


def work(*recipients: Recipient | str, now: datetime = START, **changes: Any) -> Work:
    """Work in hand, for pure decisions."""
    made = Work(
        seq=1,
        delivery_id="d-1",
        target_uid="t1",
        group="ops",
        kind=Kind.EVENT,
        recipients=tuple(Recipient(r) if isinstance(r, str) else r for r in recipients),
        suppressed_count=0,
        revision=1,
        created_at=now,
        expires_at=now + LIFETIME,
        attempt=1,
        failures=0,
        unfinished=1,
        maybe_duplicate=False,
        fence=1,
        body=b"",
    )
    return replace(made, **changes)


def completion(done: Work, outcome: Outcome, now: datetime, jitter: float = 0.5) -> Completion:
    """``done`` ended as ``outcome``."""
    end = AttemptEnd(
        outcome.verdict.value,
        outcome.reason.value,
        outcome.code,
        outcome.reply,
        timedelta(milliseconds=12),
        sign_of(outcome),
        outcome.retry_after,
    )
    return Completion(done, settle(done, outcome, now, jitter), end, now, target_revision=1)


def given_back(done: Work, now: datetime) -> Completion:
    """``done`` was not begun."""
    return Completion(
        done, Settlement(State.QUEUED, "", "", done.recipients, done.failures), None, now
    )


def proto_handoff(number: int, **changes: Any) -> pb.Handoff:
    """The same obligation as ``handoff``, on the wire."""
    made = handoff(number)
    message = pb.Handoff(
        delivery_id=made.delivery_id,
        obligation_id=made.obligation_id,
        target_uid=made.target_uid,
        target=made.target,
        group=made.group,
        kind=delivery_pb2.DELIVERY_KIND_EVENT,
        revision=made.revision,
    )
    message.event.ParseFromString(made.body)
    message.event.timestamp.FromDatetime(START)
    for name, value in changes.items():
        if name == "recipients":
            message.recipients.extend(value)
        else:
            setattr(message, name, value)
    return message


WatchItem = config_service_pb2.WatchConfigResponse


class FakeConfig(ConfigServiceServicer):
    """Streams what ``publish`` was given, over a real server: the state first, then changes."""

    def __init__(self) -> None:
        self._state: dict[str, WatchItem] = {}
        self._changes: list[list[WatchItem]] = []
        self._more = asyncio.Event()

    def publish(
        self,
        *targets: Target,
        settings: settings_pb2.Settings | None = None,
        deleted: Sequence[str] = (),
        secrets: Sequence[SealedSecret] = (),
        groups: Sequence[Group] = (),
    ) -> int:
        """A new revision, in which these targets and groups were made or changed."""
        revision = len(self._changes) + 1
        change = [WatchItem(settings=settings)] if settings else []
        if settings:
            self._state["settings"] = change[0]
        for group in groups:
            self._state[group.uid] = WatchItem(group=group)
            change.append(self._state[group.uid])
        for target in targets:
            target.revision = revision
            watched = config_service_pb2.WatchedTarget(target=target, secrets=secrets)
            self._state[target.uid] = WatchItem(target=watched)
            change.append(self._state[target.uid])
        for uid in deleted:
            del self._state[uid]
            change.append(WatchItem(deleted_target_uid=uid))
        self._changes.append(change)
        self._more.set()
        self._more = asyncio.Event()
        return revision

    async def WatchConfig(
        self, request: config_service_pb2.WatchConfigRequest, context: Any
    ) -> AsyncIterator[WatchItem]:
        sent = int(request.resume_token or 0)
        if not sent and self._changes:
            sent = len(self._changes)
            for item in _marked(list(self._state.values()), sent):
                yield item
        while True:
            more = self._more
            while sent < len(self._changes):
                sent += 1
                for item in _marked(self._changes[sent - 1], sent):
                    yield item
            await more.wait()


def _marked(items: Sequence[WatchItem], revision: int) -> list[WatchItem]:
    """The items of a revision, and the marker that they are complete."""
    marked = [*items, WatchItem(current=config_service_pb2.CurrentMarker())]
    for item in marked:
        item.revision = revision
        item.resume_token = str(revision)
    return marked


@asynccontextmanager
async def running_config() -> AsyncIterator[tuple[FakeConfig, str]]:
    """The Config and its address."""
    config = FakeConfig()  # type: ignore[abstract]  # the other rpcs are not called
    server = grpc.aio.server()
    add_ConfigServiceServicer_to_server(config, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield config, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
