"""A preview shows what is sent: the same bytes, for any event, any template and either kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.http_server import HttpServer
from tests.support.smtp_server import SmtpServer
from tests.support.transports import ANYWHERE, SENDER, StillClock, event, message

from ibs_notify.delivery.preview import DELIVERY_ID, MASK, Asked, Preview, preview
from ibs_notify.delivery.transports.base import Message, Verdict
from ibs_notify.delivery.transports.smtp import SmtpTransport
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.domain.errors import InvalidArgument, NotFound
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.severity import Severity
from ibs_notify.domain.target import (
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    InfluxDbSpec,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
    header_secret,
)
from ibs_notify.domain.templates import Templates, TemplateSet
from ibs_notify.snapshot.model import Snapshot

EVENTS = st.builds(
    event,
    type=st.sampled_from(["backup.failed", "backup.completed", "notification.test", "a.b"]),
    severity=st.sampled_from(Severity),
    subject=st.text(max_size=300),
    summary=st.text(max_size=2000),
    actor=st.text(max_size=50),
    resource=st.text(max_size=100),
    labels=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=3),
)
OWN = TemplateSet(
    event=Templates(
        subject="[ACME] {{ event.subject }}",
        text="{% for key, value in event.labels|dictsort %}\n{{ key }}={{ value }}\n{% endfor %}",
        body='{"a": "{{ event.summary }}", "b": "{{ event.labels }}"}',
    ),
    digest=Templates(html="<p>{{ event.summary }}</p>", body='{"digest": "{{ event.subject }}"}'),
)
CONSOLE = "https://console.example.com"
GROUPS = st.sampled_from([TemplateSet(), OWN])
OPTIONS: dict[str, Any] = {
    "deadline": None,
    "max_examples": 40,
    "suppress_health_check": list(HealthCheck),
}


def snapshot_of(spec: TargetSpec, group: TemplateSet, **sealed: bytes) -> Snapshot:
    target = Target(name="ops", uid="t1", spec=spec)
    return Snapshot(
        revision=1,
        settings=InstallationSettings(sender=SENDER),
        targets={"t1": target},
        groups=(Group(name="team", uid="g1", templates=group),),
        sealed={"t1": sealed},
        templates={"team": group},
    )


def shown(spec: TargetSpec, group: TemplateSet, said: Event, *, gathers: bool = False) -> Preview:
    asked = Asked("ops", "team", said, ("a@example.org",), gathers)
    return preview(
        asked, snapshot_of(spec, group, **{WEBHOOK_TOKEN: b"sealed"}), StillClock(), CONSOLE
    )


def message_for(said: Event, group: TemplateSet, *, gathers: bool) -> Message:
    made = message("a@example.org", delivery_id=DELIVERY_ID)
    return replace(
        made,
        event=said,
        templates=group,
        gathers=gathers,
        target="ops",
        group="team",
        console=CONSOLE,
    )


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@settings(**OPTIONS)
@given(EVENTS, GROUPS, GROUPS, st.booleans())
def test_a_mail_is_previewed_byte_for_byte(
    said: Event, group: TemplateSet, own: TemplateSet, gathers: bool
) -> None:
    async def test() -> None:
        async with SmtpServer() as server:
            spec = SmtpSpec("127.0.0.1", server.port, TlsMode.NONE, templates=own)
            sender = SmtpTransport(spec, "", StillClock(), ANYWHERE)
            outcome = await sender.attempt(message_for(said, group, gathers=gathers))
            await sender.close()
        assert outcome.verdict is Verdict.DELIVERED
        # RFC 5321 section 4.5.2: the server takes back the dots of transparency.
        received = server.mails[0].data
        expected = shown(spec, group, said, gathers=gathers).content
        assert received.replace(b"\r\n..", b"\r\n.") == expected.replace(b"\r\n..", b"\r\n.")

    run(test)


@settings(**OPTIONS)
@given(EVENTS, GROUPS, GROUPS, st.booleans(), st.sampled_from([None, *Preset]))
def test_a_webhook_is_previewed_byte_for_byte(
    said: Event, group: TemplateSet, own: TemplateSet, gathers: bool, preset: Preset | None
) -> None:
    is_free = preset not in (Preset.PAGERDUTY, Preset.TWILIO_SMS)

    async def test() -> None:
        async with HttpServer(text="ok") as server:
            spec = WebhookSpec(
                server.url("/topic"),
                headers=("X-Key",),
                preset=preset,
                body_template=own.event.body if is_free else "",
                digest_body_template=own.digest.body if is_free else "",
            )
            sender = WebhookTransport(spec, {"X-Key": "s3cret"}, StillClock(), ANYWHERE, token=MASK)
            outcome = await sender.attempt(message_for(said, group, gathers=gathers))
            await sender.close()
        assert outcome.verdict is Verdict.DELIVERED
        (request,) = server.requests
        expected = shown(spec, group, said, gathers=gathers)
        assert request.body == expected.content
        assert request.method == expected.method
        secret = {"X-Key", "Authorization", "X-Gotify-Key"}
        for name, value in expected.headers:
            assert value == MASK if name in secret else request.headers[name] == value

    run(test)


def test_a_preview_shows_that_it_is_signed_and_no_secret() -> None:
    spec = WebhookSpec("https://x.example/t0k3n/hook", headers=("Authorization",))
    sealed = {WEBHOOK_SIGNING_SECRET: b"sealed", header_secret("Authorization"): b"sealed"}
    made = preview(
        Asked("ops", "", event()), snapshot_of(spec, TemplateSet(), **sealed), StillClock()
    )
    headers = dict(made.headers)
    assert headers["webhook-signature"] == headers["Authorization"] == MASK
    assert headers["webhook-id"] == DELIVERY_ID
    assert made.url == "https://x.example/…"


def test_a_preview_shows_no_token_where_none_is_sent() -> None:
    spec = WebhookSpec("https://ntfy.example/topic", preset=Preset.NTFY)
    made = preview(Asked("ops", "", event()), snapshot_of(spec, TemplateSet()), StillClock())
    assert "Authorization" not in dict(made.headers)


@pytest.mark.parametrize(("target", "group"), [("nobody", ""), ("ops", "nobody")])
def test_a_preview_needs_a_target_and_a_group_that_there_are(target: str, group: str) -> None:
    spec = WebhookSpec("https://x.example")
    with pytest.raises(NotFound, match="'nobody'"):
        preview(Asked(target, group, event()), snapshot_of(spec, TemplateSet()), StillClock())


def test_a_metric_server_has_nothing_to_preview() -> None:
    spec = InfluxDbSpec("https://x.example", "o", "b")
    with pytest.raises(InvalidArgument, match="is a metric server"):
        preview(Asked("ops", "", event()), snapshot_of(spec, TemplateSet()), StillClock())


def test_a_result_that_is_too_large_is_an_error_of_the_preview() -> None:
    spec = WebhookSpec(
        "https://x.example", body_template='{"a": "' + "{{ event.summary }}" * 99 + '"}'
    )
    said = event(summary="x" * 32_000)
    with pytest.raises(InvalidArgument, match="larger than 256 KiB"):
        preview(Asked("ops", "", said), snapshot_of(spec, TemplateSet()), StillClock())


def test_a_template_of_a_group_that_cannot_be_used_lets_the_message_wait() -> None:
    async def test() -> None:
        async with HttpServer() as server:
            sender = WebhookTransport(WebhookSpec(server.url()), {}, StillClock(), ANYWHERE)
            group = TemplateSet(event=Templates(body="{{ event.nope }}"))
            outcome = await sender.attempt(message_for(event(), group, gathers=False))
            await sender.close()
        assert (outcome.verdict, server.requests) == (Verdict.RETRY, [])
        assert "a template of the group" in outcome.reply

    run(test)
