"""A target that works again: how it failed is told in the past tense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from tests.support.config import FakeClock

from ibs_notify.console.assets import Assets
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.targets.health import Health, Standing, standing
from ibs_notify.console.targets.words import kind_word, picture, where
from ibs_notify.console.trouble import Trouble
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget

NOW = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
CHAT = Target(name="chat", uid="u", webhook=WebhookTarget(url="http://127.0.0.1:9/"))
DISABLED = Target(name="off", uid="u", webhook=CHAT.webhook, disabled=True)


def since_then(health: pb.TargetHealth.ValueType, target: Target = CHAT) -> Standing:
    status = pb.GetTargetStatusResponse(health=health, trouble_reason="CONNECTION_FAILED")
    status.trouble_since.FromDatetime(NOW - timedelta(seconds=49))
    return standing(target, status)


def pages(it: Standing, target: Target = CHAT) -> list[str]:
    """Its own page, the list, and the overview."""
    renderer = Renderer(Assets(), FakeClock(NOW))
    health = Health({target.uid: it})
    values = {
        "visit": SimpleNamespace(may=lambda _: True, here="/targets"),
        "trouble": Trouble([target], [(target, it)], 1, (), None),
        "target": target,
        "targets": [target],
        "health": health,
        "dead": (),
        "mark": "",
        "kind_word": kind_word,
        "picture": picture,
        "where": where,
    }
    return [
        renderer.response(template, values, block=block).text or ""
        for template, block in (
            ("pages/target.html", "health"),
            ("pages/targets.html", "standings"),
            ("parts/overview/trouble.html", ""),
        )
    ]


def test_why_a_target_failed_that_recovers_is_of_the_past() -> None:
    for text in pages(since_then(pb.TARGET_HEALTH_RECOVERING)):
        assert "began to fail" in text
        assert "since <time" not in text
        assert "<dt>Why</dt>" not in text


def test_why_a_target_fails_is_said_of_now() -> None:
    for text in pages(since_then(pb.TARGET_HEALTH_FAILING)):
        assert "since <time" in text
        assert "began to fail" not in text


def test_since_when_a_target_failed_is_not_since_when_it_was_disabled() -> None:
    for health, words in (
        (pb.TARGET_HEALTH_FAILING, "failing since"),
        (pb.TARGET_HEALTH_PAUSED, "paused since"),
    ):
        _, listed, overview = pages(since_then(health, DISABLED), DISABLED)
        assert f'disabled</span><br><span class="small-text muted nowrap">{words} <time' in listed
        assert "since <time" not in overview
