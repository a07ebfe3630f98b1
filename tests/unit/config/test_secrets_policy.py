"""A stored secret never follows a target to another place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ibs_notify.config.secrets_policy import judge
from ibs_notify.domain.moves import moves
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    WEBHOOK_FORMER_SIGNING_SECRET,
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    TargetSpec,
    TlsMode,
    WebhookSpec,
    header_secret,
)

SMTP = SmtpSpec("smtp.example.com", 587, TlsMode.STARTTLS, SmtpAuth.PLAIN, "ibs-svc")
WEBHOOK = WebhookSpec("https://chat.example.com/hook", headers=("Authorization", "X-Key"))
INFLUX = InfluxDbSpec("https://metrics.example.com", "polystack", "ibs-events")
GATEWAY = PushgatewaySpec("https://push.example.com", username="ibs")
AUTHORIZATION, KEY = header_secret("Authorization"), header_secret("X-Key")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (replace(SMTP, server="evil.example.com"), "smtp.server"),
        (replace(SMTP, port=2525), "smtp.port"),
        (replace(SMTP, tls_mode=TlsMode.NONE), "smtp.tls_mode"),
        (replace(SMTP, username="other"), "smtp.username"),
    ],
)
def test_a_mail_server_that_moves_needs_its_password_again(changed: SmtpSpec, field: str) -> None:
    verdict = judge(SMTP, changed, stored={SMTP_PASSWORD}, given=set())
    assert verdict.moved == (field,)
    assert verdict.missing == {SMTP_PASSWORD}
    assert verdict.kept == set()


def test_a_password_given_with_the_move_is_enough() -> None:
    changed = replace(SMTP, server="mx2.example.com")
    verdict = judge(SMTP, changed, stored={SMTP_PASSWORD}, given={SMTP_PASSWORD})
    assert verdict.missing == set()
    assert verdict.cleared == set()


@pytest.mark.parametrize(
    "changed",
    [
        replace(SMTP, from_address="a@example.com"),
        replace(SMTP, recipients=("a@example.com",)),
        replace(SMTP, server="SMTP.example.com."),
        replace(SMTP, auth=SmtpAuth.LOGIN),
    ],
)
def test_what_is_no_move_of_a_mail_server_keeps_its_password(changed: SmtpSpec) -> None:
    verdict = judge(SMTP, changed, stored={SMTP_PASSWORD}, given=set())
    assert verdict.kept == {SMTP_PASSWORD}
    assert verdict.missing == set()


def test_a_mail_server_without_login_loses_its_password_and_works() -> None:
    changed = replace(SMTP, auth=SmtpAuth.NONE)
    verdict = judge(SMTP, changed, stored={SMTP_PASSWORD}, given=set())
    assert verdict.cleared == {SMTP_PASSWORD}
    assert verdict.missing == set()


@pytest.mark.parametrize(
    "url",
    [
        "http://chat.example.com/hook",
        "https://evil.example.com/hook",
        "https://chat.example.com:8443/hook",
    ],
)
def test_another_origin_of_a_webhook_needs_every_header_again(url: str) -> None:
    verdict = judge(WEBHOOK, replace(WEBHOOK, url=url), stored={AUTHORIZATION, KEY}, given={KEY})
    assert verdict.missing == {AUTHORIZATION}
    assert verdict.moved == ("webhook.url",)


@pytest.mark.parametrize(
    "url", ["https://chat.example.com/other?x=1", "HTTPS://CHAT.example.com:443/hook"]
)
def test_another_path_or_spelling_of_a_webhook_keeps_its_headers(url: str) -> None:
    verdict = judge(WEBHOOK, replace(WEBHOOK, url=url), stored={AUTHORIZATION, KEY}, given=set())
    assert verdict.kept == {AUTHORIZATION, KEY}
    assert verdict.missing == set()


def test_a_header_that_is_removed_is_neither_missing_nor_a_surprise() -> None:
    changed = replace(WEBHOOK, url="https://new.example.com/", headers=("X-Key",))
    verdict = judge(
        WEBHOOK,
        changed,
        stored={AUTHORIZATION, KEY},
        given={KEY},
        withdrawn={AUTHORIZATION},
    )
    assert verdict.missing == set()
    assert verdict.cleared == set()


def test_a_metric_server_cannot_work_without_its_token() -> None:
    changed = replace(INFLUX, url="https://other.example.com")
    assert judge(INFLUX, changed, stored={INFLUXDB_TOKEN}, given=set()).missing == {INFLUXDB_TOKEN}
    assert judge(None, INFLUX, stored=set(), given=set()).missing == {INFLUXDB_TOKEN}


def test_the_optional_token_of_a_moved_pushgateway_is_cleared_with_a_reason() -> None:
    old = replace(GATEWAY, username="")
    changed = replace(old, url="https://other.example.com")
    verdict = judge(old, changed, stored={PUSHGATEWAY_BEARER_TOKEN}, given=set())
    assert verdict.cleared == {PUSHGATEWAY_BEARER_TOKEN}
    assert verdict.moved == ("pushgateway.url",)
    assert verdict.missing == set()


def test_another_user_of_a_pushgateway_needs_a_password() -> None:
    changed = replace(GATEWAY, username="other")
    verdict = judge(GATEWAY, changed, stored={PUSHGATEWAY_PASSWORD}, given=set())
    assert verdict.missing == {PUSHGATEWAY_PASSWORD}


def test_a_withdrawn_secret_that_is_needed_is_missing_without_a_move() -> None:
    verdict = judge(SMTP, SMTP, stored={SMTP_PASSWORD}, given=set(), withdrawn={SMTP_PASSWORD})
    assert verdict.missing == {SMTP_PASSWORD}
    assert verdict.moved == ()


@pytest.mark.parametrize("other", [WEBHOOK, INFLUX, GATEWAY])
def test_another_kind_is_another_place(other: TargetSpec) -> None:
    assert moves(SMTP, other) == ("kind",)


SIGNED = {WEBHOOK_SIGNING_SECRET, WEBHOOK_FORMER_SIGNING_SECRET}
GOTIFY = WebhookSpec("https://push.example.com", preset=Preset.GOTIFY)


def test_a_signed_webhook_that_moves_needs_its_signing_secret_again() -> None:
    before = WebhookSpec("https://a.example.com/hook")
    after = WebhookSpec("https://b.example.com/hook")
    verdict = judge(before, after, stored=SIGNED, given=set())
    assert verdict.missing == {WEBHOOK_SIGNING_SECRET}
    assert verdict.kept == set()
    given = judge(before, after, stored=SIGNED, given={WEBHOOK_SIGNING_SECRET})
    assert not given.missing
    assert given.cleared == {WEBHOOK_FORMER_SIGNING_SECRET}
    unsigned = judge(before, after, stored=SIGNED, given=set(), withdrawn=SIGNED)
    assert unsigned.missing == set()


def test_a_webhook_that_stays_keeps_token_and_signing_secrets() -> None:
    after = replace(GOTIFY, url="https://push.example.com/sub")
    verdict = judge(GOTIFY, after, stored=SIGNED | {WEBHOOK_TOKEN}, given=set())
    assert verdict.kept == SIGNED | {WEBHOOK_TOKEN}


def test_a_presets_token_never_follows_it_to_another_host() -> None:
    verdict = judge(
        GOTIFY, replace(GOTIFY, url="https://evil.example.com"), stored={WEBHOOK_TOKEN}, given=set()
    )
    assert verdict.missing == {WEBHOOK_TOKEN}
    assert verdict.moved == ("webhook.url",)


def test_another_account_of_twilio_needs_its_own_token() -> None:
    before = WebhookSpec("https://api.twilio.com", preset=Preset.TWILIO_SMS, account="AC1")
    verdict = judge(before, replace(before, account="AC2"), stored={WEBHOOK_TOKEN}, given=set())
    assert verdict.missing == {WEBHOOK_TOKEN}


def test_a_token_that_no_preset_uses_is_cleared() -> None:
    verdict = judge(GOTIFY, replace(GOTIFY, preset=None), stored={WEBHOOK_TOKEN}, given=set())
    assert verdict.cleared == {WEBHOOK_TOKEN}


def test_a_token_is_not_given_to_another_preset_of_the_same_host() -> None:
    old = WebhookSpec("https://ntfy.sh/mine", headers=("X",), preset=Preset.NTFY)
    new = replace(old, url="https://ntfy.sh/others", preset=Preset.PAGERDUTY)
    stored = {WEBHOOK_TOKEN, WEBHOOK_SIGNING_SECRET, header_secret("X")}
    verdict = judge(old, new, stored=stored, given=set())
    assert verdict.kept == stored - {WEBHOOK_TOKEN}
    assert verdict.missing == verdict.cleared == {WEBHOOK_TOKEN}
    assert verdict.moved == ("webhook.preset",)
    assert judge(old, new, stored=stored, given={WEBHOOK_TOKEN}).missing == frozenset()
