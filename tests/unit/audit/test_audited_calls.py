"""Of every rpc it is decided whether it is written down, so that none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibs_notify.rpc.access import ACCESS

MANUAL = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")

AUDITED = {
    "ConfigService/CreateTarget": "target.create",
    "ConfigService/UpdateTarget": "target.update",
    "ConfigService/DeleteTarget": "target.delete",
    "ConfigService/TestTarget": "target.test",
    "ConfigService/StreamTargetTest": "target.test",
    "ConfigService/CreateGroup": "group.create",
    "ConfigService/UpdateGroup": "group.update",
    "ConfigService/DeleteGroup": "group.delete",
    "ConfigService/AddSubscription": "group.update",
    "ConfigService/UpdateSubscription": "group.update",
    "ConfigService/RemoveSubscription": "group.update",
    "ConfigService/AttachResource": "group.update",
    "ConfigService/DetachResource": "group.update",
    "ConfigService/UpdateSettings": "settings.update",
    "ConfigService/CreateToken": "token.create",
    "ConfigService/RevokeToken": "token.revoke",
    "ConfigService/RotateKeys": "key.rotate",
    "ConfigService/RemoveKey": "key.remove",
    "RouterService/CreateSilence": "silence.create",
    "RouterService/ExpireSilence": "silence.expire",
    "DeliveryService/RetryDeliveries": "delivery.retry",
    "DeliveryService/CancelDeliveries": "delivery.cancel",
    "DeliveryService/ResumeTarget": "target.resume",
    "DeliveryService/HoldDeliveries": "delivery.hold",
    "DeliveryService/ReleaseDeliveries": "delivery.release",
    "DeliveryService/FlushDigest": "digest.flush",
}
NOT_AUDITED = {
    "RouterService/Emit": "an event is in the inbox",
    "RouterService/EmitBatch": "likewise",
    "RouterService/EmitStream": "likewise",
    "RouterService/MarkEvents": "a mark is of somebody's own inbox",
    "ConfigService/ReportTokenUse": "the services do it by themselves",
    "DeliveryService/Deliver": "the services do it by themselves",
    "DeliveryService/TestTarget": "Config asks for it, and has written it down",
    "DeliveryService/StreamTargetTest": "likewise",
}
LOOKS = re.compile(
    r"(Get|List|Count|Chart|Watch|Check|Analyze|Preview|Verify|Await|Explain|Summarize)"
)


def decided() -> set[str]:
    return {
        method.removeprefix("/ironcore.notification.v1.")
        for method in ACCESS
        if method.startswith("/ironcore.") and not LOOKS.match(method.rpartition("/")[2])
    }


def test_of_every_call_that_does_something_it_is_decided_whether_it_is_written_down() -> None:
    assert decided() == AUDITED.keys() | NOT_AUDITED.keys()


@pytest.mark.parametrize("action", sorted(set(AUDITED.values())))
def test_every_action_is_in_the_manual(action: str) -> None:
    assert f"`{action}`" in MANUAL.partition("## What is in it")[2].partition("*Before*")[0]
