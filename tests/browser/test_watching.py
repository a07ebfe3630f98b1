"""The main task of each page that watches, once by clicking and once by the keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_service_pb2 as delivery_service
from ironcore.notification.v1 import group_pb2
from tests.browser.by_hand import (
    CANCELLED,
    DEAD,
    DELIVERED,
    RETRY_WAIT,
    await_states,
    emit,
    group_of,
    states_of,
    told_webhook,
)
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.browser.hands import Hands
from tests.browser.peers import Peers
from tests.system.installation import CALL_SECONDS, until


def test_overview_leads_to_what_is_in_trouble(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"trouble-{hands.name}", hands.page
    told_webhook(console, peers, name, 410)
    emit(console.installation, f"For {name}")
    until(lambda: states_of(console.installation, name) != [], "it is tried")
    hands.open(f"{console.base}/")
    times = page.get_by_role("navigation", name="Time")
    hands.press(times.get_by_role("link", name="30d"))
    expect(times.get_by_role("link", name="30d")).to_have_attribute("aria-current", "true")
    expect(page.locator("#events-panel .chart-total")).to_contain_text("event")
    hands.press(page.get_by_role("link", name=name, exact=True).first)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator("#health")).to_contain_text("paused")


def test_the_first_steps_end_with_a_message_that_arrives(
    hands: Hands, console: Console, peers: Peers
) -> None:
    name, page = f"first-{hands.name}", hands.page
    hands.open(f"{console.base}/start")
    hands.press(page.get_by_role("main").get_by_role("link", name="Add Webhook"))
    hands.write(page.get_by_label("Name").first, name)
    hands.write(page.get_by_label("URL"), peers.url("ok"))
    hands.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    hands.open(f"{console.base}/start")
    hands.press(page.get_by_role("main").get_by_role("link", name="Add Group"))
    hands.write(page.get_by_label("Name").first, name)
    hands.choose(page.get_by_label("Target", exact=True).first, name)
    rule = page.get_by_label("Receives events that match").first
    hands.write(rule, f'subject contains "{name}"')
    hands.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    hands.open(f"{console.base}/start")
    hands.write(page.get_by_label("Subject"), f"From {name}")
    hands.press(page.get_by_role("button", name=re.compile("^Send")))
    expect(page.locator(".sent")).to_contain_text("delivered")
    assert states_of(console.installation, name) == [DELIVERED]


def test_all_that_a_filter_shows_is_archived_and_brought_back(
    hands: Hands, console: Console
) -> None:
    name, page = f"bulk-{hands.name}", hands.page
    for number in range(3):
        emit(console.installation, f"{name} {number}")
    hands.open(f"{console.base}/inbox")
    hands.write(page.get_by_role("searchbox"), name)
    hands.press(page.get_by_role("button", name="Search"))
    settle(page)
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(3)
    hands.press(page.get_by_role("link", name="Archive…"))
    expect(page.locator("main")).to_contain_text("3 events")
    hands.press(page.get_by_role("button", name="Mark archived"))
    expect(page.get_by_text("3 events marked archived")).to_be_visible()
    expect(rows).to_have_count(0)
    hands.press(page.get_by_role("button", name="Undo"))
    expect(rows).to_have_count(3)
    hands.press(page.get_by_role("link", name=re.compile(f"{name}.*remove")))
    expect(page.get_by_label("Filters in force")).to_have_count(0)


def test_an_event_says_why_and_why_not(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"why-{hands.name}", hands.page
    told_webhook(console, peers, name)
    told_webhook(console, peers, f"{name}-deaf")
    event = emit(console.installation, f"For {name} alone")
    hands.open(f"{console.base}/events/{event}")
    hands.choose(page.get_by_label("Why, or why not, to"), f"{name}-deaf")
    hands.press(page.get_by_role("button", name="Ask"))
    answer = page.locator("#why details.why")
    expect(answer).to_have_count(1)
    expect(answer).to_contain_text(f"subject contains {name}-deaf")
    expect(answer).to_contain_text("Does not hear")
    hands.choose(page.get_by_label("Why, or why not, to"), name)
    hands.press(page.get_by_role("button", name="Ask"))
    expect(answer).to_contain_text("Hears")
    # Its summary folds it.
    hands.press(answer.locator("summary"))
    expect(answer).not_to_have_attribute("open", "")


def test_a_dead_delivery_is_retried(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"retry-{hands.name}", hands.page
    told_webhook(console, peers, name, 400)
    emit(console.installation, f"For {name}")
    await_states(console.installation, name, DEAD)
    hands.open(f"{console.base}/tasks?target={name}")
    hands.press(page.locator("[data-row] a[data-open]"))
    expect(page.locator("main")).to_contain_text("as the test wants it")
    peers.replies[name] = (204, "")
    hands.press(page.locator("#delivery").get_by_role("button", name="Retry now"))
    await_states(console.installation, name, DELIVERED)


def test_what_matches_is_retried_or_cancelled(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"matching-{hands.name}", hands.page
    told_webhook(console, peers, name, 400)
    for number in range(3):
        emit(console.installation, f"For {name}: {number}")
    await_states(console.installation, name, DEAD, DEAD, DEAD)
    hands.open(f"{console.base}/tasks?target={name}")
    hands.tick(page.locator("[data-row] input[type=checkbox]").first)
    peers.replies[name] = (503, "later")
    hands.press(page.get_by_role("button", name="Retry selected"))
    hands.press(page.get_by_role("button", name="Retry", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    await_states(console.installation, name, DEAD, DEAD, RETRY_WAIT)
    hands.open(f"{console.base}/tasks?target={name}&state=dead")
    hands.press(page.get_by_role("link", name="Retry all that match"))
    expect(page.locator("main")).to_contain_text("2 deliveries")
    hands.press(page.get_by_role("button", name="Retry", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    await_states(console.installation, name, RETRY_WAIT, RETRY_WAIT, RETRY_WAIT)
    hands.open(f"{console.base}/tasks?view=waiting&target={name}")
    hands.press(page.get_by_role("link", name="Cancel all that match"))
    expect(page.locator("main")).to_contain_text("3 deliveries")
    hands.press(page.get_by_role("button", name="Cancel them"))
    await_states(console.installation, name, CANCELLED, CANCELLED, CANCELLED)


def test_a_queue_says_what_is_held_and_when_it_goes(
    hands: Hands, console: Console, peers: Peers
) -> None:
    name, page = f"held-{hands.name}", hands.page
    console.installation.create_webhook(name, peers.url("ok"))
    console.installation.create_group(name, {name: f'subject contains "{name}"'}, limit=1)
    for number in range(3):
        emit(console.installation, f"For {name}: {number}")
    hands.open(f"{console.base}/")
    hands.menu("Queue")
    hands.press(page.get_by_role("link", name=name, exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Queue of {name}")
    expect(page.locator("#queue")).to_contain_text("1 event in any minute")
    hands.press(page.locator("[data-row] a").first)
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"For {name}")


def test_a_datastore_is_attached_to_a_group(hands: Hands, console: Console) -> None:
    name, page = f"store-{hands.name}", hands.page
    made = group_pb2.Group(name=name, scope=group_pb2.GROUP_SCOPE_ATTACHED)
    console.installation.config.CreateGroup(config_pb.CreateGroupRequest(group=made))
    emit(console.installation, f"{name} is full", resource=f"/datastore/{name}")
    hands.open(f"{console.base}/datastores")
    hands.press(page.get_by_role("link", name=name, exact=True))
    attach = page.locator("details.attach")
    expect(attach).to_be_visible()
    if attach.get_attribute("open") is None:
        hands.press(attach.locator("> summary"))
    hands.choose(attach.get_by_label("Group"), name)
    hands.press(attach.get_by_role("button", name="Attach"))
    expect(page.get_by_role("heading", name="Attached to")).to_be_visible()
    assert list(group_of(console.installation, name).attachments) == [f"/datastore/{name}"]


def test_a_digest_is_looked_at_and_sent(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"digest-{hands.name}", hands.page
    console.installation.create_mail(name, peers.mail_port, f"{name}@example.com")
    digest = group_pb2.Digest(
        rule="severity <= notice", frequency=group_pb2.DIGEST_FREQUENCY_DAILY, time="09:00"
    )
    told = group_pb2.Subscription(target=name, rule=f'subject contains "{name}"')
    made = group_pb2.Group(name=name, subscriptions=[told], digest=digest)
    request = config_pb.CreateGroupRequest(group=made)
    group = console.installation.config.CreateGroup(request, timeout=CALL_SECONDS).group
    console.installation.await_config(group.revision)
    emit(console.installation, f"{name} went well", "backup.completed")

    def is_gathered() -> bool:
        asked = delivery_service.ListDigestsRequest(group=name)
        answer = console.installation.delivery.ListDigests(asked, timeout=CALL_SECONDS)
        return any(each.event_count for each in answer.digests)

    until(is_gathered, "the event waits for its digest")
    hands.open(f"{console.base}/digests?group={name}")
    hands.press(page.get_by_role("link", name="daily digest"))
    settle(page)
    expect(page.get_by_role("heading", name="What it would say now")).to_be_visible()
    expect(page.frame_locator("iframe.preview-frame").locator("body")).to_contain_text(name)
    hands.press(page.get_by_text("Send now …"))
    hands.press(page.get_by_role("button", name="Send it"))
    until(lambda: any(each.rcpt_tos == [f"{name}@example.com"] for each in peers.mails), "a mail")


def test_the_audit_log_is_filtered_and_verified(hands: Hands, console: Console) -> None:
    name, page = f"audited-{hands.name}", hands.page
    console.installation.create_webhook(name, "http://127.0.0.1:9/")
    hands.open(f"{console.base}/audit")
    hands.press(page.get_by_text("Filters", exact=True))
    hands.write(page.get_by_label("Of", exact=True), f"target/{name}")
    hands.press(page.get_by_role("button", name="Show"))
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row]")).to_contain_text("target.create")
    hands.press(page.get_by_role("button", name="Verify"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Is the log as it was written?")
    expect(page.get_by_text("intact")).to_have_count(3)
