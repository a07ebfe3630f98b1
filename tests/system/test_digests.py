"""A Delivery that is killed while it makes a digest: the digest goes out once, with every entry."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_pb2,
    delivery_service_pb2,
    event_pb2,
    group_pb2,
    router_service_pb2,
)
from tests.system.checker import read_receipts
from tests.system.installation import CALL_SECONDS, Installation, running_installation, until
from tests.system.sinks import running_sink

pytestmark = [pytest.mark.system, pytest.mark.slow]

EVENTS = 600
"""More than are marked in one transaction."""


def gather_all(installation: Installation, port: int) -> str:
    """Every event is gathered until the next day; the window that holds them."""
    installation.create_webhook("chat", f"http://127.0.0.1:{port}/")
    group = group_pb2.Group(
        name="compliance",
        digest=group_pb2.Digest(rule="*", frequency=group_pb2.DIGEST_FREQUENCY_WEEKLY),
        subscriptions=[group_pb2.Subscription(target="chat", rule="*")],
    )
    made = installation.config.CreateGroup(
        config_service_pb2.CreateGroupRequest(group=group), timeout=CALL_SECONDS
    )
    installation.await_config(made.group.revision)
    requests = (
        router_service_pb2.EmitRequest(
            event=event_pb2.Event(event_id=f"e{number}", type="backup.completed")
        )
        for number in range(EVENTS)
    )
    for request in requests:
        installation.router.Emit(request, timeout=CALL_SECONDS)
    until(lambda: held(installation) == EVENTS, "all is gathered")
    return windows(installation)[0].digest_id


def windows(installation: Installation) -> list[delivery_service_pb2.DigestWindow]:
    request = delivery_service_pb2.ListDigestsRequest()
    return list(installation.delivery.ListDigests(request, timeout=CALL_SECONDS).digests)


def held(installation: Installation) -> int:
    return sum(each.event_count for each in windows(installation))


@pytest.mark.parametrize("point", ["delivery.in_digest_cut", "delivery.after_digest_cut"])
def test_whoever_is_killed_in_the_middle_of_a_digest_sends_it_once_and_whole(
    tmp_path: Path, point: str
) -> None:
    with (
        running_sink("webhook", "chat", tmp_path) as sink,
        running_installation(tmp_path / "home") as installation,
    ):
        digest_id = gather_all(installation, sink.port)
        installation.stop("delivery")
        installation.start("delivery", failpoint=point)
        installation.wait_until_serving("delivery")
        with pytest.raises(grpc.RpcError):
            installation.delivery.FlushDigest(
                delivery_service_pb2.FlushDigestRequest(digest_id=digest_id), timeout=CALL_SECONDS
            )
        installation.wait_for_death("delivery")
        installation.start_and_wait("delivery")
        installation.drain(20.0)

        receipts = [each for each in read_receipts(sink.log) if each.answered]
        assert len(receipts) == 1
        assert receipts[0].event_id.startswith("digest-")
        digested = list(installation.deliveries([delivery_pb2.DELIVERY_STATE_DIGESTED]))
        assert len(digested) == EVENTS
        assert {each.digest.state for each in digested} == {delivery_pb2.DELIVERY_STATE_DELIVERED}
        assert installation.ledger().balanced
