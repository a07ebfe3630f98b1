"""Digests on the command line."""

from __future__ import annotations

import json

from tests.support.command_line import Cli

from ibs_notify.domain.errors import FailedPrecondition, Reason, Unavailable
from ironcore.notification.v1 import config_service_pb2, delivery_pb2, group_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb


def window(number: int, **fields: object) -> pb.DigestWindow:
    """A window that gathers for the compliance group."""
    made = pb.DigestWindow(
        digest_id=f"dig-{number}",
        group="compliance",
        target="mail",
        recipients=["auditor@example.com"],
        kind=delivery_pb2.DELIVERY_KIND_DIGEST,
        state=pb.DIGEST_WINDOW_STATE_OPEN,
        period="daily",
        event_count=1234,
    )
    made.open_time.FromJsonString("2026-05-21T02:14:35Z")
    made.close_time.FromJsonString("2026-05-21T09:00:00Z")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_digests_are_listed_with_what_they_hold_and_when_they_close(cli: Cli) -> None:
    sent = window(
        7, state=pb.DIGEST_WINDOW_STATE_CLOSED, reason="SCHEDULED", delivery_id="3f9a1c0b52d7ffff"
    )
    empty = window(6, state=pb.DIGEST_WINDOW_STATE_CLOSED, reason="SCHEDULED", event_count=0)
    weekly = window(5, kind=delivery_pb2.DELIVERY_KIND_SUMMARY)
    cli.delivery.answers["ListDigests"] = pb.ListDigestsResponse(
        digests=[window(8), sent, empty, weekly]
    )
    first, second, third, fourth = cli("digest", "list").stdout.splitlines()[2:]
    for word in ("dig-8", "mail: auditor@example.com", "daily digest", "open", "1,234", "09:00:00"):
        assert word in first
    assert "closed (SCHEDULED)" in second
    assert second.endswith("3f9a1c0b52d7")
    assert third.endswith("nothing to send")
    assert "weekly summary" in fourth


def test_a_list_is_asked_for_by_group_and_goes_over_pages(cli: Cli) -> None:
    cli.delivery.answers["ListDigests"] = lambda request: pb.ListDigestsResponse(
        digests=[window(1)], next_page_token="" if request.page_token else "more"
    )
    found = json.loads(cli("digest", "list", "compliance", "--open", "-o", "json").stdout)
    assert [each["digest_id"] for each in found] == ["dig-1", "dig-1"]
    first, _ = cli.delivery.received("ListDigests")
    assert (first.group, first.open_only, first.page_size) == ("compliance", True, 100)
    cli.delivery.answers["ListDigests"] = pb.ListDigestsResponse()
    assert cli("digest", "list").stdout.startswith("no digests: group update --digest-rule")
    assert cli("digest", "list", "nope").stdout == "no digests of group 'nope'\n"


def test_a_preview_shows_a_mail_its_html_or_a_body(cli: Cli) -> None:
    mail = pb.PreviewDigestResponse(subject="Daily", text="37 ×\nbackups\x1b[2J", html="<p>37</p>")
    cli.delivery.answers["PreviewDigest"] = mail
    shown = cli("digest", "preview", "dig-7").stdout
    assert shown.startswith("Subject: Daily\n\n37 ×\nbackups")
    assert "\x1b" not in shown
    assert cli("digest", "preview", "dig-7", "--html").stdout == "<p>37</p>\n"
    cli.delivery.answers["PreviewDigest"] = pb.PreviewDigestResponse(body='{"type": 1}')
    assert cli("digest", "preview", "dig-7").stdout == '{"type": 1}\n'
    refused = cli("digest", "preview", "dig-7", "--html")
    assert (refused.exit_code, "no mail" in refused.stderr) == (2, True)
    assert {each.digest_id for each in cli.delivery.received("PreviewDigest")} == {"dig-7"}


def test_a_flush_names_the_delivery(cli: Cli) -> None:
    cli.delivery.answers["FlushDigest"] = pb.FlushDigestResponse(delivery_id="3f9a")
    assert cli("digest", "flush", "dig-7").stdout == "closed dig-7; it is sent as delivery 3f9a\n"
    as_json = json.loads(cli("digest", "flush", "dig-7", "-o", "json").stdout)
    assert as_json == {"delivery_id": "3f9a"}
    cli.delivery.answers["FlushDigest"] = FailedPrecondition(
        Reason.DIGEST_NOT_OPEN, "digest dig-7 is closed already"
    )
    refused = cli("digest", "flush", "dig-7")
    assert refused.exit_code == 4
    assert "digest dig-7 is closed already" in refused.stderr


def test_a_delivery_of_a_digest_says_in_which_one_it_is(cli: Cli) -> None:
    entry = delivery_pb2.Delivery(
        delivery_id="3f9a", state=delivery_pb2.DELIVERY_STATE_DIGESTED, event_id="e1"
    )
    entry.digest.digest_id = "dig-7"
    entry.digest.delivery_id = "77aa"
    entry.digest.state = delivery_pb2.DELIVERY_STATE_DEAD
    entry.digest.reason = "SMTP_5XX"
    cli.delivery.answers["GetDelivery"] = pb.GetDeliveryResponse(delivery=entry)
    shown = cli("delivery", "show", "3f9a").stdout
    assert "digested: in dig-7, which is dead (SMTP_5XX)" in shown
    entry.state = delivery_pb2.DELIVERY_STATE_DIGEST_OPEN
    entry.digest.delivery_id = ""
    entry.digest.close_time.FromJsonString("2026-05-21T09:00:00Z")
    cli.delivery.answers["GetDelivery"] = pb.GetDeliveryResponse(delivery=entry)
    shown = cli("delivery", "show", "3f9a").stdout
    assert "digest open: for dig-7, which closes at 2026-05-21 09:00:00Z" in shown


def test_a_group_tells_when_its_digest_is_sent_next(cli: Cli) -> None:
    shown = group_pb2.Group(name="compliance", digest=group_pb2.Digest(rule="severity = info"))
    cli.config.answers["GetGroup"] = config_service_pb2.GetGroupResponse(group=shown)
    cli.delivery.answers["ListDigests"] = pb.ListDigestsResponse(digests=[window(8), window(9)])
    told = cli("group", "show", "compliance").stdout
    assert "daily at 09:00: severity = info" in told
    assert "2026-05-21 09:00:00Z, with 2,468 gathered" in told
    just_opened = window(8)
    just_opened.ClearField("close_time")
    cli.delivery.answers["ListDigests"] = pb.ListDigestsResponse(digests=[just_opened])
    assert "known in a moment, with 1,234 gathered" in cli("group", "show", "compliance").stdout
    assert "known in a moment" in cli("digest", "list", "--open").stdout
    cli.delivery.answers["ListDigests"] = pb.ListDigestsResponse()
    assert "nothing is gathered yet" in cli("group", "show", "compliance").stdout
    cli.delivery.answers["ListDigests"] = Unavailable(Reason.STORAGE_UNAVAILABLE, "locked")
    away = cli("group", "show", "compliance")
    assert (away.exit_code, "not known: locked" in away.stdout) == (0, True)
