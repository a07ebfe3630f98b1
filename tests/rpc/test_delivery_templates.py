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
from ironcore.notification.v1.target_pb2 import (
    WEBHOOK_PRESET_GOTIFY,
    WEBHOOK_PRESET_SLACK,
    SealedSecret,
)

CANARY = "c4n4ry-0f-7h3-53cr3t"
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


async def test_a_draft_goes_before_what_is_saved_and_is_not_kept(delivery: Running) -> None:
    target = webhook(None)
    target.webhook.body_template = '{"target": "{{ event.subject }}"}'
    await delivery.publish(target, groups=[group(body=BODY)])
    draft = GroupTemplates(body='{"draft": "{{ event.subject }}"}')
    for named in ("ops-team", ""):
        tried = await preview(delivery, draft=draft, group=named)
        assert tried.content == b'{"draft":"Backup 1"}'
    assert (await preview(delivery)).content == b'{"group":"Backup 1"}'


async def test_a_draft_that_replaces_shows_what_removing_a_template_does(
    delivery: Running,
) -> None:
    target = webhook(None)
    target.webhook.body_template = '{"target": "{{ event.subject }}"}'
    await delivery.publish(target, groups=[group(body=BODY)])
    bare = await preview(delivery, draft_replaces=True)
    assert bare.content == b'{"target":"Backup 1"}'
    standard = await preview(delivery, draft_replaces=True, group="")
    assert json.loads(standard.content)["event_id"] == proto_handoff(1).event.event_id


async def test_each_fault_of_a_draft_is_said_with_line_and_column(delivery: Running) -> None:
    await delivery.publish(webhook(None), groups=[group()])
    draft = GroupTemplates(text="a\n{{ event.nope }}", digest_body="{", subject="x" * 65_537)
    error = await refusal(preview(delivery, draft=draft))
    assert isinstance(error, InvalidArgument)
    said = {each.path: each.description for each in error.violations}
    assert set(said) == {"draft.text", "draft.digest_body", "draft.subject"}
    assert said["draft.text"].startswith("line 2, column 10")
    assert said["draft.subject"] == "is larger than 64 KiB"


async def test_a_body_is_checked_for_the_content_type_of_its_target(delivery: Running) -> None:
    target = webhook(None)
    target.webhook.content_type = "text/plain"
    target.webhook.body_template = "{{ event.subject }}"
    await delivery.publish(target, groups=[group()])
    plain = await preview(delivery, draft=GroupTemplates(body="{{ event.type }}"))
    assert plain.content == b"backup.failed"
    error = await refusal(preview(delivery, draft_replaces=True, group=""))
    assert isinstance(error, InvalidArgument)
    assert [each.path for each in error.violations] == ["draft.body"]


async def test_a_preset_keeps_its_body_from_a_groups_draft_and_not_from_the_targets_own(
    delivery: Running,
) -> None:
    target = webhook(None)
    target.webhook.preset = WEBHOOK_PRESET_SLACK
    await delivery.publish(target, groups=[group()])
    draft = GroupTemplates(body='{"text": "draft"}')
    of_group = await preview(delivery, draft=draft)
    assert of_group.content == (await preview(delivery)).content
    assert (await preview(delivery, draft=draft, group="")).content == b'{"text":"draft"}'


async def test_no_draft_reads_a_secret(delivery: Running) -> None:
    target = webhook(None)
    target.webhook.url = f"https://push.example.com/?key={CANARY}"
    target.webhook.preset = WEBHOOK_PRESET_GOTIFY
    target.webhook.headers.add(name="X-Key", value_set=True)
    fields = ("webhook.token", "webhook.headers[x-key]", "webhook.signing_secret")
    sealed = [SealedSecret(field=each, ciphertext=CANARY.encode()) for each in fields]
    await delivery.publish(target, groups=[group()], secrets=sealed)
    draft = GroupTemplates(body='{"message": "[{{ preset.token }}]", "all": "{{ preset }}"}')
    tried = await preview(delivery, draft=draft, group="")
    assert tried.content.startswith(b'{"message":"[]"')
    assert CANARY not in str(tried)
    assert {each.name: each.value for each in tried.headers}["X-Key"] == "****"


async def test_a_digest_is_tried_on_the_events_that_it_would_gather(delivery: Running) -> None:
    await delivery.publish(webhook(None), groups=[group()])
    draft = GroupTemplates(
        digest_body='{"n": "{{ digest.total }}", "of": "{{ digest.group }}",'
        ' "worst": "{{ (digest.lines|first).type }}"}'
    )
    events = [proto_handoff(number).event for number in (1, 2)]
    events.append(event_pb2.Event(type="backup.completed", subject="fine"))
    tried = await preview(delivery, gathered=events, draft=draft)
    assert tried.content == b'{"n":3,"of":"ops-team","worst":"backup.failed"}'
    broken = await refusal(preview(delivery, gathered=[*events, event_pb2.Event(type="A B")]))
    assert isinstance(broken, InvalidArgument)
    assert [each.path for each in broken.violations] == ["gathered[3].type"]
