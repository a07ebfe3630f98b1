"""The product page's steps in the console, one by one, with the mouse and with the keyboard.

The names of pages, fields and buttons are those that the product page writes.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from ironcore.notification.v1 import group_pb2, target_pb2
from tests.browser.axe import violations
from tests.browser.by_hand import emit, group_of, target_of
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.browser.hands import Keys
from tests.browser.peers import Peers


def go_to(page: Page, console: Console, entry: str) -> None:
    """By the menu, as the product page says: Notifications > ..."""
    page.goto(f"{console.base}/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name=entry).click()
    settle(page)


def save(page: Page) -> None:
    # It is asked first whether anybody is there: the page goes on later than the click.
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    expect(page.get_by_role("alert")).to_have_count(0)


# ---- Configure SMTP Delivery


def test_a_mail_target_is_added_tested_and_saved(
    page: Page, console: Console, peers: Peers
) -> None:
    go_to(page, console, "Targets")
    page.get_by_role("link", name="Add SMTP Target").first.click()
    page.get_by_label("Name").first.fill("ops-smtp")
    page.get_by_label("Server").fill("127.0.0.1")
    page.get_by_label("Port").fill(str(peers.mail_port))
    page.get_by_label("From").fill("ironcore-backup@example.com")
    page.get_by_label("Auth method").select_option(label="None")
    page.get_by_label("TLS").select_option("none")
    page.get_by_label("Send the test to").fill("admin@example.com")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#test-result .banner.done")).to_be_visible()
    assert peers.mails[-1].rcpt_tos == ["admin@example.com"]
    # Nothing was saved by the test.
    assert page.url.endswith("/targets/new/smtp")
    save(page)
    saved = target_of(console.installation, "ops-smtp")
    assert saved.smtp.port == peers.mail_port
    assert saved.smtp.from_address == "ironcore-backup@example.com"
    go_to(page, console, "Targets")
    expect(page.get_by_role("link", name="ops-smtp", exact=True)).to_be_visible()


def test_a_mail_target_is_added_with_the_keyboard_alone(
    page: Page, console: Console, peers: Peers
) -> None:
    keys = Keys(page)
    keys.open(f"{console.base}/")
    keys.keys("g", "t")
    page.wait_for_url("**/targets")
    keys.press(page.get_by_role("link", name="Add SMTP Target").first)
    page.wait_for_url("**/targets/new/smtp")
    keys.write(page.get_by_label("Name").first, "keyboard-smtp")
    keys.write(page.get_by_label("Server"), "127.0.0.1")
    keys.write(page.get_by_label("Port"), str(peers.mail_port))
    keys.choose(page.get_by_label("TLS"), "None")
    keys.choose(page.get_by_label("Auth method"), "None")
    keys.write(page.get_by_label("From"), "ironcore-backup@example.com")
    keys.press(page.get_by_role("button", name="Save", exact=True))
    page.wait_for_url(lambda url: "/new/" not in url)
    assert target_of(console.installation, "keyboard-smtp").smtp.server == "127.0.0.1"


def test_what_is_wrong_is_said_at_its_field(page: Page, console: Console) -> None:
    page.goto(f"{console.base}/targets/new/smtp")
    page.get_by_label("Name").first.fill("Ops SMTP!")
    page.get_by_label("Server").fill("127.0.0.1")
    page.get_by_role("button", name="Save", exact=True).click()
    name = page.get_by_label("Name").first
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_value("Ops SMTP!")
    fault = page.locator(f"#{(name.get_attribute('aria-describedby') or '').split()[-1]}")
    expect(fault).not_to_be_empty()
    assert not violations(page)


# ---- Configure Webhook Delivery

BODY = '{"type": "{{event.type}}", "severity": "{{event.severity}}", "actor": "{{event.actor}}"}'


def test_a_webhook_is_added_with_a_header_and_a_body(
    page: Page, console: Console, peers: Peers
) -> None:
    go_to(page, console, "Targets")
    page.get_by_role("link", name="Add Webhook").first.click()
    page.get_by_label("Name").first.fill("chat-ops")
    page.get_by_label("URL").fill(peers.url("ok"))
    page.get_by_label("Method").select_option("POST")
    page.get_by_label("Name of a further header").first.fill("Authorization")
    page.get_by_label("Value of that header").first.fill("Bearer s3cret")
    page.get_by_label("Body template").first.fill(BODY)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#test-result .banner.done")).to_be_visible()
    save(page)
    saved = target_of(console.installation, "chat-ops").webhook
    assert saved.body_template.strip() == BODY
    assert [(each.name, each.value_set) for each in saved.headers] == [("Authorization", True)]
    # A secret is written and never read.
    page.goto(f"{console.base}/targets/chat-ops/edit")
    assert "s3cret" not in page.content()


# ---- Configure Metric Server Export


def test_a_metric_server_is_added(page: Page, console: Console, peers: Peers) -> None:
    go_to(page, console, "Targets")
    page.get_by_role("link", name="Add Metric Server").first.click()
    page.get_by_label("Name").first.fill("metrics-influx")
    page.get_by_label("Protocol").select_option(label="InfluxDB v2")
    page.get_by_label("URL").fill(peers.url("influx"))
    page.get_by_label("Organisation").fill("polystack")
    page.get_by_label("Bucket").fill("ibs-events")
    page.get_by_label("Token", exact=False).first.fill("s3cret")
    save(page)
    saved = target_of(console.installation, "metrics-influx").influxdb
    assert (saved.org, saved.bucket, saved.token_set) == ("polystack", "ibs-events", True)


# ---- Notification Groups


def _three_targets(console: Console, peers: Peers, prefix: str) -> list[str]:
    installation = console.installation
    names = [f"{prefix}-smtp", f"{prefix}-chat", f"{prefix}-metrics"]
    installation.create_mail(names[0], peers.mail_port, "ops@example.com")
    installation.create_webhook(names[1], peers.url("ok"))
    influx = target_pb2.InfluxDbTarget(url=peers.url("i"), org="o", bucket="b", token="t")
    made = installation.create_target(target_pb2.Target(name=names[2], influxdb=influx))
    installation.await_config(made.revision)
    return names


def test_a_group_is_built_of_targets_and_rules(page: Page, console: Console, peers: Peers) -> None:
    names = _three_targets(console, peers, "mouse")
    rules = ["*", "severity in (error, critical)", "*"]
    go_to(page, console, "Groups")
    page.get_by_role("link", name="Add Group").first.click()
    page.get_by_label("Name").first.fill("ops-team")
    page.get_by_label("Description").fill("Daily operations team")
    targets = page.get_by_label("Target", exact=True)
    while targets.count() < len(names):
        before = targets.count()
        page.get_by_role("button", name="Add another target").click()
        expect(targets).not_to_have_count(before)
    for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
        targets.nth(number).select_option(name)
        page.get_by_label("Receives events that match").nth(number).fill(rule)
    save(page)
    saved = group_of(console.installation, "ops-team")
    assert saved.description == "Daily operations team"
    assert [(each.target, each.rule) for each in saved.subscriptions] == list(
        zip(names, rules, strict=True)
    )
    expect(page.get_by_role("heading", level=1)).to_contain_text("ops-team")


def test_a_mistyped_rule_is_said_while_it_is_written(page: Page, console: Console) -> None:
    page.goto(f"{console.base}/new-group")
    rule = page.get_by_label("Receives events that match").first
    rule.click()
    page.keyboard.type("severty = error ")
    expect(page.get_by_text("severity = error").first).to_be_visible()


def test_the_suggestions_leave_what_is_wrong_with_a_rule_in_sight(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.base}/new-group")
    page.get_by_label("Receives events that match").first.click()
    page.keyboard.type("type = failed")
    expect(page.get_by_role("listbox").first).to_be_visible()
    # Playwright clicks on nothing that something else lies on.
    page.locator("[data-rule-fix]").first.click()
    expect(page.get_by_label("Receives events that match").first).not_to_have_value("type = failed")


def test_what_a_rule_would_match_follows_the_scope_as_it_stands_in_the_form(
    page: Page, console: Console
) -> None:
    for store in ("ibs-here", "ibs-there"):
        emit(console.installation, "A scoped event", resource=f"{store}:vm/1")
    page.goto(f"{console.base}/new-group")
    page.get_by_label("Receives events that match").first.fill('subject = "A scoped event"')
    matches = page.locator(".rule-matches").first
    expect(matches).to_contain_text(re.compile(r"\b2 events since .* would match"))
    page.get_by_label("Scope").select_option("attached")
    expect(matches).to_contain_text("No event of the last 7 days matches in the group’s scope")
    page.get_by_label("One more").fill("ibs-here")
    page.get_by_label("One more").blur()
    expect(matches).to_contain_text(re.compile(r"\b1 event since .* would match"))
    expect(matches).to_contain_text("and 1 more, were it in the group’s scope")


def test_what_others_bring_anyhow_follows_the_target_as_it_is_chosen(
    page: Page, console: Console, peers: Peers
) -> None:
    for name in ("also-heard", "also-new"):
        console.installation.create_webhook(name, peers.url("ok"))
    console.installation.create_group("also-ops", {"also-heard": "*"})
    emit(console.installation, "An event that is heard already")
    page.goto(f"{console.base}/new-group")
    page.get_by_label("Receives events that match").first.fill(
        'subject = "An event that is heard already"'
    )
    matches = page.locator(".rule-matches").first
    expect(matches).to_contain_text("1 event")
    expect(matches).not_to_contain_text("reaches")
    page.get_by_label("Target", exact=True).first.select_option("also-heard")
    expect(matches).to_contain_text("It reaches also-heard anyhow, by also-ops.")
    page.get_by_label("Target", exact=True).first.select_option("also-new")
    expect(matches).to_contain_text("None of these reaches also-new by another group")


# ---- Rate Limiting and Digesting


def test_routine_events_are_gathered_into_a_daily_digest(
    page: Page, console: Console, peers: Peers
) -> None:
    console.installation.create_mail("digest-smtp", peers.mail_port, "ops@example.com")
    console.installation.create_group("compliance", {"digest-smtp": "*"})
    page.goto(f"{console.base}/groups/compliance/edit")
    page.get_by_role("heading", name="Digest and summary").click()
    page.get_by_label("Gather some events and send them as one").check()
    page.get_by_label("Gathered are events that match").fill("severity in (info, notice)")
    page.get_by_label("How often").select_option(label="Daily")
    page.get_by_label("Time", exact=False).and_(page.locator("[type=time]")).fill("09:00")
    save(page)
    digest = group_of(console.installation, "compliance").digest
    assert digest.rule == "severity in (info, notice)"
    assert digest.frequency == group_pb2.DIGEST_FREQUENCY_DAILY
    assert digest.time == "09:00"


# ---- Troubleshooting


def test_mail_that_does_not_arrive_is_tested_to_an_address(
    page: Page, console: Console, peers: Peers
) -> None:
    console.installation.create_mail("lost-smtp", peers.mail_port, "ops@example.com")
    page.goto(f"{console.base}/targets/lost-smtp")
    page.get_by_label("Send the test to").fill("night@example.com")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#test-result .banner.done")).to_be_visible()
    assert peers.mails[-1].rcpt_tos == ["night@example.com"]


def test_a_stale_header_is_replaced(page: Page, console: Console, peers: Peers) -> None:
    hook = target_pb2.WebhookTarget(
        url=peers.url("ok"), headers=[target_pb2.Header(name="Authorization", value="Bearer old")]
    )
    console.installation.create_target(target_pb2.Target(name="stale-hook", webhook=hook))
    page.goto(f"{console.base}/targets/stale-hook/edit")
    page.get_by_label("Authorization", exact=True).fill("Bearer new")
    save(page)
    saved = target_of(console.installation, "stale-hook").webhook
    assert [each.name for each in saved.headers] == ["Authorization"]


def test_a_dispatch_failure_is_found_under_tasks(
    page: Page, console: Console, peers: Peers
) -> None:
    installation = console.installation
    installation.create_webhook("wrong-hook", peers.url("wrong"))
    installation.create_group("wrong-team", {"wrong-hook": "subject contains wrong-hook"})
    emit(installation, "For wrong-hook")
    go_to(page, console, "Tasks")
    row = page.get_by_role("row").filter(has_text="wrong-hook")
    for _ in range(20):
        if row.count():
            break
        page.reload()
        settle(page)
    row.first.get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("400")


def test_a_datastore_says_who_hears_of_it_and_its_alerts(page: Page, console: Console) -> None:
    subject = "ibs-missing is 95 % full"
    emit(console.installation, subject, "datastore.free-space", "/datastore/ibs-missing")
    go_to(page, console, "Datastores")
    page.get_by_role("link", name="ibs-missing").first.click()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    expect(page.get_by_text(subject).first).to_be_visible()
