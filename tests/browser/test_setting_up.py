"""The main task of each page that configures, once by clicking and once by the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from tests.browser.by_hand import (
    DELIVERED,
    emit,
    group_of,
    names_of_groups,
    states_of,
    target_of,
    told_webhook,
)
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.browser.hands import Hands, Keys
from tests.browser.peers import Peers
from tests.browser.secured import Secured
from tests.system.installation import CALL_SECONDS, until


def names_of_targets(console: Console) -> list[str]:
    request = config_pb.ListTargetsRequest(page_size=1000)
    return [each.name for each in console.installation.config.ListTargets(request).targets]


def test_a_webhook_is_tested_saved_disabled_and_deleted(
    hands: Hands, console: Console, peers: Peers
) -> None:
    name, page = f"hook-{hands.name}", hands.page
    hands.open(f"{console.base}/targets")
    hands.press(page.locator(".page-head").get_by_role("link", name="Add Webhook"))
    hands.write(page.get_by_label("Name").first, name)
    hands.write(page.get_by_label("URL"), peers.url("ok"))
    hands.choose(page.get_by_label("Method"), "PUT")
    hands.write(page.get_by_label("Name of a further header").first, "Authorization")
    hands.write(page.get_by_label("Value of that header").first, "Bearer s3cret")
    hands.press(page.get_by_role("button", name="Test", exact=True))
    expect(page.locator("#test-result .banner.done")).to_be_visible()
    assert name not in names_of_targets(console)
    hands.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    saved = target_of(console.installation, name)
    assert (saved.webhook.method, saved.webhook.headers[0].value_set) == ("PUT", True)
    hands.press(page.get_by_role("link", name="Disable"))
    hands.press(page.get_by_role("button", name="Disable"))
    hands.press(page.get_by_role("button", name="Enable"))
    expect(page.get_by_role("link", name="Disable")).to_be_visible()
    assert not target_of(console.installation, name).disabled
    console.installation.create_group(name, {name: f'subject contains "{name}"'})
    hands.press(page.get_by_role("link", name="Delete"))
    hands.press(page.get_by_role("button", name=f"Delete {name}"))
    expect(page.get_by_label("Yes, delete it all the same")).to_be_focused()
    hands.tick(page.get_by_label("Yes, delete it all the same"))
    hands.press(page.get_by_role("button", name=f"Delete {name}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Targets")
    assert name not in names_of_targets(console)


def test_a_target_that_is_paused_is_resumed(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"paused-{hands.name}", hands.page
    told_webhook(console, peers, name, 410)
    emit(console.installation, f"For {name}")
    until(lambda: states_of(console.installation, name) != [], "it is tried")
    hands.open(f"{console.base}/targets/{name}")
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_visible()
    peers.replies[name] = (204, "")
    hands.press(resume)
    emit(console.installation, f"For {name} again")
    until(lambda: DELIVERED in states_of(console.installation, name), "it takes one again")


def test_a_metric_server_is_set_up(hands: Hands, console: Console, peers: Peers) -> None:
    name, page = f"metrics-{hands.name}", hands.page
    hands.open(f"{console.base}/targets")
    hands.press(page.locator(".page-head").get_by_role("link", name="Add Metric Server"))
    hands.write(page.get_by_label("Name").first, name)
    hands.choose(page.get_by_label("Protocol"), "Prometheus Pushgateway")
    hands.write(page.get_by_label("URL"), peers.url("push"))
    hands.write(page.get_by_label("Job"), "ibs")
    hands.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert target_of(console.installation, name).pushgateway.job == "ibs"


def test_a_rule_is_completed_and_mended_and_its_group_deleted(
    hands: Hands, console: Console, peers: Peers
) -> None:
    name, page = f"rule-{hands.name}", hands.page
    made = console.installation.create_webhook(name, peers.url("ok"))
    console.installation.await_config(made.revision)
    hands.open(f"{console.base}/groups")
    hands.press(page.get_by_role("link", name="Add Group").first)
    hands.write(page.get_by_label("Name").first, name)
    hands.choose(page.get_by_label("Target", exact=True).first, name)
    rule = page.get_by_label("Receives events that match").first
    hands.write(rule, "")
    if not isinstance(hands, Keys):
        rule.click()
    page.keyboard.type("sev")
    choice = page.locator(".rule-choices [role=option]").first
    expect(choice).to_contain_text("severity")
    if isinstance(hands, Keys):
        hands.keys("Enter")
    else:
        choice.click()
    expect(rule).to_have_value("severity ")
    expect(rule).to_be_focused()
    hands.write(rule, "severty = error ")
    hands.press(page.get_by_role("link", name="Use severity = error"))
    expect(rule).to_have_value(re.compile(r"^severity = error\s*$"))
    hands.choose(page.get_by_label("Scope"), "Events about the resources below")
    hands.write(page.get_by_label("Attached resources"), f"{name}:production")
    hands.press(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    saved = group_of(console.installation, name)
    assert [(each.target, each.rule.strip()) for each in saved.subscriptions] == [
        (name, "severity = error")
    ]
    assert list(saved.attachments) == [f"/datastore/{name}/production"]
    hands.press(page.get_by_role("link", name="Delete"))
    hands.tick(page.get_by_label("Yes, let go of them"))
    hands.press(page.get_by_role("button", name=f"Delete {name}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Groups")
    assert name not in names_of_groups(console.installation)


def test_a_silence_is_made_for_a_while_and_ended(hands: Hands, console: Console) -> None:
    name, page = f"silence-{hands.name}", hands.page

    def comments() -> list[str]:
        answer = console.installation.router.ListSilences(router_pb.ListSilencesRequest())
        return [each.comment for each in answer.silences]

    hands.open(f"{console.base}/silences")
    hands.press(page.get_by_role("link", name="Add Silence").first)
    hands.write(page.get_by_label("Which events"), f"actor = {name}")
    hands.tick(page.get_by_label("For four hours"))
    hands.write(page.get_by_label("Why", exact=True), name)
    hands.press(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Silences")
    assert name in comments()
    row = page.get_by_role("row").filter(has_text=name)
    hands.press(row.get_by_text("End now …"))
    hands.press(row.get_by_role("button", name="End it"))
    until(lambda: name not in comments(), "the silence is over")


def test_a_template_is_changed_beside_its_preview(
    hands: Hands, console: Console, peers: Peers
) -> None:
    name, page = f"words-{hands.name}", hands.page
    console.installation.create_mail(name, peers.mail_port, "ops@example.com")
    emit(console.installation, f"Shown to {name}")
    hands.open(f"{console.base}/templates")
    hands.choose(page.get_by_label("For one target"), name)
    hands.press(page.locator("form.pick").first.get_by_role("button", name="Edit"))
    settle(page)
    hands.write(page.get_by_label("Subject").first, f"{name} says {{{{ event.type }}}}")
    preview = page.frame_locator("iframe.preview-frame:not(.coming)").locator("body")
    expect(preview).to_contain_text(f"{name} says backup.failed")
    hands.press(page.get_by_role("button", name="Save", exact=True))
    until(
        lambda: target_of(console.installation, name).smtp.subject_template.startswith(name),
        "the subject is stored",
    )


def test_the_settings_are_changed(hands: Hands, console: Console) -> None:
    page = hands.page
    sender = f"{hands.name}@example.com"
    hands.open(f"{console.base}/settings")
    hands.write(page.get_by_label("Sender"), sender)
    hands.press(page.get_by_role("button", name="Save"))
    expect(page.get_by_text("The settings are saved.")).to_be_visible()
    answer = console.installation.config.GetSettings(config_pb.GetSettingsRequest())
    assert answer.settings.sender == sender


def test_the_keys_are_rotated_and_the_old_one_removed(hands: Hands, console: Console) -> None:
    page = hands.page

    def keys() -> list[str]:
        answer = console.installation.config.ListKeys(config_pb.ListKeysRequest())
        return [each.key_id for each in answer.keys]

    (before,) = keys()
    hands.open(f"{console.base}/")
    hands.menu("Keys")
    hands.press(page.get_by_text("Rotate …"))
    hands.press(page.get_by_role("button", name="Rotate"))
    old = page.get_by_role("row").filter(has_text=before)
    hands.press(old.get_by_text("Remove …"))
    hands.press(old.get_by_role("button", name="Remove it"))
    until(lambda: before not in keys() and len(keys()) == 1, "only the new one is left")


def test_a_token_is_made_copied_used_and_revoked(hands: Hands, secured: Secured) -> None:
    name, page = f"token-{hands.name}", hands.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    base = secured.console.base

    def is_revoked() -> bool:
        request = config_pb.ListTokensRequest(page_size=1000, include_revoked=True)
        answer = secured.console.installation.config.ListTokens(request, timeout=CALL_SECONDS)
        (token,) = (each for each in answer.tokens if each.name == name)
        return token.HasField("revoke_time")

    hands.open(f"{base}/tokens")
    hands.write(page.get_by_label("API token"), secured.secret)
    hands.press(page.get_by_role("button", name="Log in"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Tokens")
    hands.press(page.get_by_role("link", name="Add Token").first)
    hands.write(page.get_by_label("Name"), name)
    hands.choose(page.get_by_label("Role"), "operator")
    hands.press(page.get_by_role("button", name="Save"))
    hands.press(page.get_by_role("button", name="Copy"))
    secret = page.locator("#token-secret").inner_text()
    until(lambda: page.evaluate("() => navigator.clipboard.readText()") == secret, "it is copied")
    hands.press(page.get_by_role("button", name="Log out", exact=True))
    hands.write(page.get_by_label("API token"), secret)
    hands.press(page.get_by_role("button", name="Log in"))
    expect(page.locator(".who-name")).to_have_text(name)
    hands.press(page.get_by_role("button", name="Log out", exact=True))
    hands.write(page.get_by_label("API token"), secured.secret)
    hands.press(page.get_by_role("button", name="Log in"))
    expect(page.locator(".who-name")).to_have_text("ann")
    assert not is_revoked()
    hands.open(f"{base}/tokens/{name}")
    hands.press(page.get_by_text("Revoke …"))
    hands.press(page.get_by_role("button", name="Revoke it"))
    until(is_revoked, "it is refused from now on")


@pytest.mark.parametrize("there", ["Targets", "Groups"])
def test_the_menu_of_a_phone_opens_and_leads_on(there: str, hands: Hands, console: Console) -> None:
    page = hands.page
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(f"{console.base}/inbox")
    settle(page)
    hands.tick(page.locator("#menu-toggle"))
    hands.menu(there)
    expect(page.get_by_role("heading", level=1)).to_have_text(there)
