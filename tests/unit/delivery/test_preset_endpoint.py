"""Where a preset's requests go, and what its peer knows us by."""

from __future__ import annotations

import pytest

from ibs_notify.delivery.presets.endpoint import Endpoint, credentials_of, endpoint_of
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.target import WebhookSpec

SID = "AC" + "0" * 32


@pytest.mark.parametrize(
    ("preset", "url", "endpoint"),
    [
        (None, "https://x.example/hook", Endpoint("https://x.example/hook")),
        (Preset.SLACK, "https://hooks.slack.com/a/b", Endpoint("https://hooks.slack.com/a/b")),
        (
            Preset.PAGERDUTY,
            "https://events.eu.pagerduty.com",
            Endpoint("https://events.eu.pagerduty.com/v2/enqueue"),
        ),
        (Preset.PAGERDUTY, "https://proxy/pd/v2/enqueue", Endpoint("https://proxy/pd/v2/enqueue")),
        (Preset.NTFY, "https://ntfy.sh/backups", Endpoint("https://ntfy.sh/", "backups")),
        (Preset.NTFY, "https://h/ntfy/backups/", Endpoint("https://h/ntfy/", "backups")),
        (Preset.GOTIFY, "https://push.example", Endpoint("https://push.example/message")),
        (Preset.GOTIFY, "https://h/gotify/", Endpoint("https://h/gotify/message")),
        (Preset.GOTIFY, "https://h/message", Endpoint("https://h/message")),
        (
            Preset.TWILIO_SMS,
            "https://api.twilio.com",
            Endpoint(f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"),
        ),
    ],
)
def test_the_path_of_a_presets_api_is_filled_in_where_it_is_missing(
    preset: Preset | None, url: str, endpoint: Endpoint
) -> None:
    assert endpoint_of(WebhookSpec(url, preset=preset, account=SID)) == endpoint


@pytest.mark.parametrize(
    ("preset", "token", "headers"),
    [
        (Preset.GOTIFY, "t0k", {"X-Gotify-Key": "t0k"}),
        (Preset.NTFY, "tk_1", {"Authorization": "Bearer tk_1"}),
        (Preset.NTFY, "", {}),
        (Preset.TWILIO_SMS, "pw", {"Authorization": "Basic QUM6cHc="}),
        (Preset.PAGERDUTY, "key", {}),
        (Preset.SLACK, "", {}),
        (None, "", {}),
    ],
)
def test_each_peer_is_told_the_token_in_its_own_way(
    preset: Preset | None, token: str, headers: dict[str, str]
) -> None:
    assert credentials_of(WebhookSpec("https://x", preset=preset, account="AC"), token) == headers
