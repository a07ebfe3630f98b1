"""Templates in a running Delivery: what arrives is what the preview shows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.rpc.test_delivery_service import Running, running, webhook
from tests.support.config import refusal
from tests.support.delivery import proto_handoff, running_config
from tests.support.http_server import HttpServer

from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ironcore.notification.v1 import delivery_pb2, event_pb2, settings_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates

BODY = '{"group": "{{ event.subject }}"}'


@pytest.fixture
async def delivery(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_config() as (config, address), running(tmp_path, config, address) as it:
        yield it


def group(**templates: str) -> Group:
    return Group(name="ops-team", uid="g1", templates=GroupTemplates(**templates))


async def preview(delivery: Running, **changes: object) -> pb.PreviewMessageResponse:
    values: dict[str, object] = {
        "target": "chat",
        "group": "ops-team",
        "event": proto_handoff(1).event,
        **changes,
    }
    return await delivery.stub.PreviewMessage(pb.PreviewMessageRequest(**values))  # type: ignore[arg-type]


async def test_the_groups_body_goes_before_the_targets_and_the_preview_says_so(
    delivery: Running,
) -> None:
    async with HttpServer() as hook:
        target = webhook(hook)
        target.webhook.body_template = '{"target": "{{ event.subject }}"}'
        await delivery.publish(target, groups=[group(body=BODY)])
        await delivery.deliver(proto_handoff(1), proto_handoff(2, group="others"))
        await delivery.until(1, "DELIVERED")
        await delivery.until(2, "DELIVERED")
    bodies = sorted(each.body for each in hook.requests)
    assert bodies == [b'{"group":"Backup 1"}', b'{"target":"Backup 2"}']
    assert (await preview(delivery)).content == bodies[0]
    assert (await preview(delivery, group="")).content == b'{"target":"Backup 1"}'


async def test_what_waited_is_sent_with_the_template_of_now(delivery: Running) -> None:
    async with HttpServer(503) as hook:
        await delivery.publish(webhook(hook), groups=[group()])
        await delivery.deliver(proto_handoff(1))
        await delivery.until(1, "QUEUED", "TARGET_FAILING")
        await delivery.publish(groups=[group(body=BODY)])
        hook.status = 200
        which = delivery_pb2.DeliveryFilter(targets=["chat"])
        await delivery.stub.RetryDeliveries(pb.RetryDeliveriesRequest(filter=which))
        await delivery.until(1, "DELIVERED")
    assert hook.requests[-1].body == b'{"group":"Backup 1"}'


async def test_a_digest_and_a_summary_have_the_body_of_digests(delivery: Running) -> None:
    async with HttpServer() as hook:
        await delivery.publish(
            webhook(hook), groups=[group(body=BODY, digest_body='{"many": "{{ event.type }}"}')]
        )
        kind = delivery_pb2.DELIVERY_KIND_SUMMARY
        await delivery.deliver(proto_handoff(1, kind=kind))
        await delivery.until(1, "DELIVERED")
    assert hook.requests[0].body == b'{"many":"backup.failed"}'
    assert (await preview(delivery, digest=True)).content == hook.requests[0].body


async def test_a_preview_completes_the_event_as_the_router_does(delivery: Running) -> None:
    settings = settings_pb2.Settings(public_url="https://ibs.example.com/")
    await delivery.publish(webhook(None), groups=[group()], settings=settings)
    event = event_pb2.Event(type="backup.failed", task_id="UPID:1/2")
    payload = json.loads((await preview(delivery, event=event)).content)
    assert payload["task_url"] == "https://ibs.example.com/#tasks/UPID%3A1%2F2"
    assert payload["severity"] == "error"


async def test_a_preview_of_a_broken_event_or_for_nobody_says_so(delivery: Running) -> None:
    await delivery.publish(webhook(None), groups=[group()])
    bad = await refusal(preview(delivery, event=event_pb2.Event(type="Not A Type")))
    assert isinstance(bad, InvalidArgument)
    assert bad.reason is Reason.EVENT_INVALID
    assert [each.path for each in bad.violations] == ["event.type"]
    assert isinstance(await refusal(preview(delivery, target="nobody")), NotFound)


async def test_the_builtin_templates_are_listed(delivery: Running) -> None:
    answer = await delivery.stub.ListTemplates(pb.ListTemplatesRequest())
    names = {each.name for each in answer.templates}
    assert {"mail.html", "preset.slack", "preset.twilio-sms"} <= names
    assert all(each.text for each in answer.templates)
