"""Each preset against a server that answers as its peer does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from standardwebhooks import Webhook
from tests.support.http_server import HttpServer, Request
from tests.support.transports import ANYWHERE, StillClock, message

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.target import WEBHOOK_SIGNING_SECRET, WebhookSpec

DELIVERED, RETRY, REFUSED = Verdict.DELIVERED, Verdict.RETRY, Verdict.REFUSED
SID = "AC" + "0" * 32
TWILIO = {"account": SID, "sender": "+15005550006", "recipient": "+491701234567"}
PATHS = {Preset.NTFY: "/backups", Preset.PAGERDUTY: "", Preset.GOTIFY: "", Preset.TWILIO_SMS: ""}
TOKENS = {Preset.NTFY, Preset.PAGERDUTY, Preset.GOTIFY, Preset.TWILIO_SMS}


def transport(server: HttpServer, preset: Preset | None, **changes: Any) -> WebhookTransport:
    values: dict[str, Any] = dict(TWILIO) if preset is Preset.TWILIO_SMS else {}
    url = server.url(PATHS.get(preset, "/hook") if preset else "/hook")
    spec = WebhookSpec(url, preset=preset, **{**values, **changes})
    token = "t0k3n-s3cret" if preset in TOKENS else ""
    return WebhookTransport(spec, {}, StillClock(), ANYWHERE, token=token)


async def outcome_of(
    preset: Preset | None, status: int, text: str = "", headers: Mapping[str, str] | None = None
) -> Outcome:
    async with HttpServer(status, headers, text) as server:
        sender = transport(server, preset)
        try:
            return await sender.attempt(message())
        finally:
            await sender.close()


async def sent(preset: Preset, **changes: Any) -> Request:
    async with HttpServer(200, text="ok") as server:
        sender = transport(server, preset)
        try:
            await sender.attempt(message(**changes))
        finally:
            await sender.close()
        (request,) = server.requests
        return request


TEAMS_FAILED = (
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} "
    "with ContextId tcid=0,server=X,cv=Y.."
)
OWN_ANSWERS = [
    (Preset.SLACK, 200, "ok", DELIVERED),
    (Preset.SLACK, 200, "", DELIVERED),
    (Preset.SLACK, 200, "invalid_payload", REFUSED),
    (Preset.SLACK, 200, "no_text", REFUSED),
    (Preset.SLACK, 200, "rollup_error", RETRY),
    (Preset.SLACK, 200, "<html>sign in</html>", REFUSED),
    (Preset.SLACK, 400, "invalid_payload", REFUSED),
    (Preset.SLACK, 403, "action_prohibited", REFUSED),
    (Preset.SLACK, 404, "channel_not_found", REFUSED),
    (Preset.SLACK, 500, "rollup_error", RETRY),
    (Preset.MATTERMOST, 200, "ok", DELIVERED),
    (Preset.MATTERMOST, 200, '{"id":"api.error"}', REFUSED),
    (Preset.MATTERMOST, 400, '{"id":"web.incoming_webhook.parse.app_error"}', REFUSED),
    (Preset.TEAMS, 202, "", DELIVERED),
    (Preset.TEAMS, 200, "1", DELIVERED),
    (Preset.TEAMS, 200, TEAMS_FAILED.format(429), RETRY),
    (Preset.TEAMS, 200, TEAMS_FAILED.format(503), RETRY),
    (Preset.TEAMS, 200, TEAMS_FAILED.format(413), REFUSED),
    (Preset.TEAMS, 200, TEAMS_FAILED.format(410), RETRY),
    (Preset.TEAMS, 200, "Webhook message delivery failed", REFUSED),
    (Preset.DISCORD, 204, "", DELIVERED),
    (Preset.DISCORD, 200, '{"id":"1"}', DELIVERED),
    (Preset.DISCORD, 404, '{"code":10015,"message":"Unknown Webhook"}', REFUSED),
    (Preset.PAGERDUTY, 202, '{"status":"success","dedup_key":"k"}', DELIVERED),
    (Preset.PAGERDUTY, 202, "", DELIVERED),
    (Preset.PAGERDUTY, 200, '{"status":"invalid event","errors":["x"]}', REFUSED),
    (Preset.PAGERDUTY, 400, '{"status":"invalid event"}', REFUSED),
    (Preset.NTFY, 200, '{"id":"a","event":"message"}', DELIVERED),
    (Preset.NTFY, 403, '{"code":40301,"http":403,"error":"forbidden"}', REFUSED),
    (Preset.NTFY, 507, '{"code":50701}', RETRY),
    (Preset.GOTIFY, 200, '{"id":1}', DELIVERED),
    (Preset.GOTIFY, 401, '{"error":"Unauthorized"}', REFUSED),
    (Preset.TWILIO_SMS, 201, '{"sid":"SM1","status":"queued"}', DELIVERED),
    (Preset.TWILIO_SMS, 201, '{"sid":"SM1","status":"failed"}', REFUSED),
    (Preset.TWILIO_SMS, 400, '{"code":21211,"message":"invalid To"}', REFUSED),
    (Preset.TWILIO_SMS, 401, '{"code":20003}', REFUSED),
    (Preset.TWILIO_SMS, 429, '{"code":20429}', RETRY),
    (None, 200, "invalid_payload", DELIVERED),
]


@pytest.mark.parametrize(("preset", "status", "text", "verdict"), OWN_ANSWERS)
async def test_an_answer_means_what_the_peer_means_by_it(
    preset: Preset | None, status: int, text: str, verdict: Verdict
) -> None:
    outcome = await outcome_of(preset, status, text)
    assert (outcome.verdict, outcome.code) == (verdict, status)
    if 200 <= status < 300:
        taken = verdict is DELIVERED
        assert outcome.reason is (OutcomeReason.ACCEPTED if taken else OutcomeReason.PEER_REFUSED)
    assert not outcome.pause


@pytest.mark.parametrize("preset", [*Preset, None])
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, REFUSED) for status in (301, 400, 401, 403, 404, 405, 413, 415, 422)),
        *((status, RETRY) for status in (408, 410, 425, 429, 500, 502, 503, 504)),
    ],
)
@pytest.mark.parametrize(
    ("wish", "expected"),
    [("", None), ("7", timedelta(seconds=7)), ("soon", None), ("999999", timedelta(hours=24))],
)
async def test_every_status_that_is_no_success_means_the_same_to_all(
    preset: Preset | None, status: int, verdict: Verdict, wish: str, expected: timedelta | None
) -> None:
    outcome = await outcome_of(preset, status, headers={"Retry-After": wish} if wish else {})
    waits = verdict is RETRY and status != 410
    assert outcome.verdict is verdict
    assert outcome.retry_after == (expected if waits else None)
    assert outcome.pause == (status == 410)


@pytest.mark.parametrize(
    ("text", "header", "wish"),
    [
        ('{"retry_after": 64.57}', "", timedelta(seconds=65)),
        ('{"retry_after": 64.57}', "3", timedelta(seconds=3)),
        ('{"retry_after": 1e99}', "", timedelta(hours=24)),
        ('{"retry_after": -1}', "", None),
        ('{"retry_after": "soon"}', "", None),
        ("[]", "", None),
    ],
)
async def test_discord_says_in_the_body_when_to_come_back(
    text: str, header: str, wish: timedelta | None
) -> None:
    headers = {"Retry-After": header} if header else {}
    outcome = await outcome_of(Preset.DISCORD, 429, text, headers)
    assert (outcome.verdict, outcome.retry_after) == (RETRY, wish)


async def test_pagerduty_gets_the_routing_key_and_resolves_what_recovered() -> None:
    failed = json.loads((await sent(Preset.PAGERDUTY)).body)
    recovered = json.loads(
        (await sent(Preset.PAGERDUTY, type="backup.completed", resource="elsewhere spelt")).body
    )
    assert failed["routing_key"] == "t0k3n-s3cret"
    assert (failed["event_action"], recovered["event_action"]) == ("trigger", "resolve")
    assert failed["dedup_key"] == recovered["dedup_key"]
    assert failed["payload"]["severity"] == "error"


async def test_ntfy_is_told_topic_and_priority_in_json_at_its_root() -> None:
    request = await sent(Preset.NTFY)
    body = json.loads(request.body)
    assert (request.path, body["topic"], body["priority"]) == ("/", "backups", 4)
    assert request.headers["Authorization"] == "Bearer t0k3n-s3cret"


async def test_gotify_knows_the_application_by_a_header() -> None:
    request = await sent(Preset.GOTIFY)
    assert request.path == "/message"
    assert request.headers["X-Gotify-Key"] == "t0k3n-s3cret"
    assert json.loads(request.body)["priority"] == 8


async def test_twilio_gets_a_form_with_both_numbers() -> None:
    request = await sent(Preset.TWILIO_SMS)
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"].startswith("Basic ")
    assert parse_qs(request.body.decode()) == {
        "To": ["+491701234567"],
        "From": ["+15005550006"],
        "Body": ["ERROR: Backup failed for vm/12345"],
    }


async def test_the_token_shows_in_no_reply() -> None:
    for preset in TOKENS:
        outcome = await outcome_of(preset, 403, "no such key: t0k3n-s3cret")
        assert "t0k3n" not in outcome.reply


async def test_an_own_body_of_a_preset_never_sees_the_token() -> None:
    async with HttpServer() as server:
        sender = transport(server, Preset.GOTIFY, body_template='{"message":"{{ preset.token }}"}')
        await sender.attempt(message())
        await sender.close()
    assert json.loads(server.requests[0].body) == {"message": ""}


async def test_a_signed_request_verifies_where_it_arrives() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with HttpServer() as server:
        spec = WebhookSpec(server.url())
        signer = Signer.of(spec, {WEBHOOK_SIGNING_SECRET: secret})
        sender = WebhookTransport(spec, {}, SystemClock(), ANYWHERE, signer=signer)
        assert (await sender.attempt(message())).verdict is DELIVERED
        await sender.close()
    (request,) = server.requests
    payload = Webhook(secret).verify(request.body, dict(request.headers))
    assert payload["event_id"] == "evt-2026-05-21-001"
