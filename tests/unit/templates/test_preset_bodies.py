"""The bodies for presets: valid for any event, within what their peers take, and fast."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.severity import Severity
from ibs_notify.templates.builtins import builtins
from ibs_notify.templates.context import event_context
from ibs_notify.templates.preset_body import preset_body

EventOf = Callable[..., Event]

VARIABLES = {
    "token": "t0k3n",
    "topic": "backups",
    "account": "AC0",
    "sender": "+15005550006",
    "recipient": "+491701234567",
}
MOST_BYTES = {Preset.TEAMS: 28_000, Preset.PAGERDUTY: 512_000, Preset.DISCORD: 100_000}


def rendered(preset: Preset, event: Event, suppressed: int = 0) -> bytes:
    context = event_context(event, suppressed=suppressed, preset=VARIABLES)
    return preset_body(preset).render(context)


def document(preset: Preset, event: Event, suppressed: int = 0) -> Any:
    return json.loads(rendered(preset, event, suppressed))


def texts_in(node: Any, name: str) -> Iterator[str]:
    """Every text called ``name``, wherever it is."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name and isinstance(value, str):
                yield value
            yield from texts_in(value, name)
    elif isinstance(node, list):
        for each in node:
            yield from texts_in(each, name)


TEXTS = st.text() | st.sampled_from(["", " ", "\n", '","a":"', "<!channel>", "@everyone", "{{x}}"])


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.builds(dict, subject=TEXTS, summary=TEXTS, resource=TEXTS, task_url=TEXTS),
    st.sampled_from(["backup.failed", "backup.completed", "x.y"]),
    st.sampled_from(Severity),
    st.integers(0, 3),
)
def test_a_chat_message_has_no_text_that_is_empty(
    event_of: EventOf, texts: dict[str, str], type_: str, severity: Severity, suppressed: int
) -> None:
    event = event_of(**texts, type=type_, severity=severity)
    for preset in set(Preset) - {Preset.TWILIO_SMS}:
        document(preset, event, suppressed)
    slack = document(Preset.SLACK, event, suppressed)
    assert all(each.strip() for each in texts_in(slack, "text"))
    assert all(len(each) <= 150 for each in texts_in(slack["attachments"][0]["blocks"][0], "text"))
    discord = document(Preset.DISCORD, event, suppressed)["embeds"][0]
    assert all(each["value"].strip() for each in discord["fields"])
    assert all(
        each["url"]
        for each in document(Preset.TEAMS, event)["attachments"][0]["content"]["actions"]
    )


@pytest.mark.parametrize("preset", Preset)
def test_the_worst_event_is_of_a_size_that_the_peer_takes(
    worst_event: Event, preset: Preset
) -> None:
    assert len(rendered(preset, worst_event, 3)) <= MOST_BYTES.get(preset, 64_000)


def test_limits_of_the_peers_are_kept(event_of: EventOf) -> None:
    link = "https://" + "a" * 2040
    event = event_of(
        type="x." + "y" * 62,
        subject="😀" * 1000,
        summary="😀" * 32_768,
        resource="😀" * 1024,
        task_url=link,
        links={"task_log": link},
    )
    discord = document(Preset.DISCORD, event, 1_000_000)["embeds"][0]
    assert len(discord["title"]) <= 256
    assert len(discord["description"]) <= 4096
    assert all(len(each["value"]) <= 1024 for each in discord["fields"])
    whole = [discord["title"], discord["description"], discord["footer"]["text"]]
    whole += [each["name"] + each["value"] for each in discord["fields"]]
    assert sum(map(len, whole)) <= 6000
    pagerduty = document(Preset.PAGERDUTY, event)
    assert len(pagerduty["payload"]["summary"]) <= 1024
    assert len(pagerduty["dedup_key"]) <= 255
    assert len(document(Preset.NTFY, event)["message"].encode()) <= 4096
    (body,) = parse_qs(rendered(Preset.TWILIO_SMS, event).decode())["Body"]
    assert len(body) <= 1600


@pytest.mark.parametrize(
    ("changes", "priority"),
    [
        ({"severity": Severity.CRITICAL}, 5),
        ({"severity": Severity.ERROR}, 4),
        ({"severity": Severity.WARNING}, 3),
        ({"severity": Severity.INFO}, 2),
        ({"severity": Severity.CRITICAL, "type": "backup.completed"}, 3),
    ],
)
def test_a_phone_rings_as_loud_as_the_event_is_grave(
    event_of: EventOf, changes: dict[str, Any], priority: int
) -> None:
    assert document(Preset.NTFY, event_of(**changes))["priority"] == priority


def test_nobody_is_called_by_what_an_event_says(event_of: EventOf) -> None:
    event = event_of(subject="<!channel> @here @everyone", summary="<!here> @all", resource="@all")
    assert document(Preset.DISCORD, event)["allowed_mentions"] == {"parse": []}
    kinds = set(texts_in(document(Preset.SLACK, event), "type"))
    assert "mrkdwn" not in kinds
    mattermost = document(Preset.MATTERMOST, event)["attachments"][0]
    shown = [mattermost["title"], mattermost["text"], *texts_in(mattermost["fields"], "value")]
    assert not any(word in each for each in shown for word in ("@here", "@all", "@everyone"))


def test_a_failure_and_its_recovery_are_one_incident(event_of: EventOf) -> None:
    spelt = event_of(resource="ibs-primary:vm/1", canonical_resource="/datastore/ibs-primary/vm/1")
    other = event_of(
        type="backup.completed",
        resource="/datastore/ibs-primary/vm/1",
        canonical_resource="/datastore/ibs-primary/vm/1",
    )
    first, second = document(Preset.PAGERDUTY, spelt), document(Preset.PAGERDUTY, other)
    assert first["dedup_key"] == second["dedup_key"]
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    alone = event_of(resource="", canonical_resource="", event_id="evt-7")
    assert document(Preset.PAGERDUTY, alone)["dedup_key"] == "evt-7"


def test_a_messaging_service_stands_for_the_number_of_the_sender(event_of: EventOf) -> None:
    variables = {**VARIABLES, "sender": "MG" + "0" * 32}
    context = event_context(event_of(), preset=variables)
    form = parse_qs(preset_body(Preset.TWILIO_SMS).render(context).decode())
    assert form["MessagingServiceSid"] == ["MG" + "0" * 32]
    assert "From" not in form


def test_every_builtin_template_is_listed_once() -> None:
    names = [each.name for each in builtins()]
    assert names == sorted(set(names))
    assert {f"preset.{preset}" for preset in Preset} <= set(names)
    assert {"mail.subject", "mail.text", "mail.html"} <= set(names)
