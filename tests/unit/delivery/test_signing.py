"""A signature is what the receivers' own library takes, also while secrets change."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.domain.signing_secret import signing_key
from ibs_notify.domain.target import (
    WEBHOOK_FORMER_SIGNING_SECRET,
    WEBHOOK_SIGNING_SECRET,
    WebhookSpec,
)


def secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


OLD, NEW = secret(), secret()


def headers_of(signer: Signer, body: bytes, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    return {
        "webhook-id": "d3b07384",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signer.signature("d3b07384", timestamp, body, now),
    }


def signer(*, until: datetime | None = None, **more: str) -> Signer:
    made = Signer.of(
        WebhookSpec("https://x", former_signing_until=until), {WEBHOOK_SIGNING_SECRET: NEW, **more}
    )
    assert made is not None
    return made


@given(st.text(max_size=2000))
def test_the_reference_library_verifies_every_body(text: str) -> None:
    body = text.encode("utf-8", errors="replace")
    assert (
        Webhook(NEW).verify(body, headers_of(signer(), body, datetime.now(UTC)), json_parse=False)
        is None
    )


def test_receivers_with_either_secret_verify_until_the_overlap_is_over() -> None:
    now = datetime.now(UTC)
    body = b'{"type":"backup.failed","summary":"\xc3\x9c"}'
    rotating = signer(until=now + timedelta(hours=1), **{WEBHOOK_FORMER_SIGNING_SECRET: OLD})
    for each in (OLD, NEW):
        assert (
            Webhook(each).verify(body, headers_of(rotating, body, now))["type"] == "backup.failed"
        )
    over = signer(until=now, **{WEBHOOK_FORMER_SIGNING_SECRET: OLD})
    assert Webhook(NEW).verify(body, headers_of(over, body, now))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers_of(over, body, now))


def test_a_body_that_was_changed_on_the_way_does_not_verify() -> None:
    headers = headers_of(signer(), b'{"a":1}', datetime.now(UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(b'{"a":2}', headers)


def test_without_a_signing_secret_there_is_no_signer() -> None:
    assert Signer.of(WebhookSpec("https://x"), {}) is None


def test_a_signer_never_shows_its_keys() -> None:
    made = signer(until=datetime.now(UTC), **{WEBHOOK_FORMER_SIGNING_SECRET: OLD})
    assert str(made.key) not in repr(made)
    assert str(made.former) not in repr(made)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2", "does not begin with whsec_"),
        ("whsec_not base64", "is not base64 after whsec_"),
        ("whsec_AAAAA", "is not base64 after whsec_"),
        ("whsec_AAAA", "has 3 bytes; it takes 24 to 64"),
    ],
)
def test_a_malformed_secret_is_refused_without_being_repeated(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        signing_key(text)
    assert text not in str(caught.value)
