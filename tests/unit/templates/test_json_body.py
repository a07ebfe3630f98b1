"""A JSON body template always gives the JSON that its author drew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.templates.body import compile_body, standard_body
from ibs_notify.templates.context import event_context, standard_payload

EventOf = Callable[..., Event]

PAGE_TEMPLATE = """{
  "type": "{{event.type}}",
  "severity": "{{event.severity}}",
  "subject": "{{event.subject}}",
  "summary": "{{event.summary}}",
  "task_id": "{{event.task_id}}",
  "actor": "{{event.actor}}",
  "timestamp": "{{event.timestamp}}"
}"""

any_event = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rendered(template: str, event: Event) -> Any:
    return json.loads(compile_body(template).render(event_context(event)))


def leaf(expression: str, event: Event) -> Any:
    return rendered(json.dumps([expression]), event)[0]


def test_the_product_pages_template_works_as_printed(event_of: EventOf) -> None:
    assert compile_body(PAGE_TEMPLATE).render(event_context(event_of())) == (
        b'{"type":"backup.failed","severity":"error","subject":"Backup failed for vm/12345",'
        b'"summary":"Task failed at chunk upload step: connection refused",'
        b'"task_id":"UPID:backup:00C123:6643:abc...","actor":"alice@polystack!backup-job",'
        b'"timestamp":"2026-05-21T02:14:35Z"}'
    )


def test_the_standard_payload_has_the_pages_fields_in_its_order(event_of: EventOf) -> None:
    payload = standard_payload(event_of())
    assert list(payload) == [
        *("event_id", "type", "severity", "subject", "summary", "task_id"),
        *("actor", "resource", "timestamp", "task_url", "links"),
    ]
    assert payload["resource"] == "ibs-primary:production/vm/12345"
    assert payload["links"] == {"task_log": "https://ibs.example.com/api2/json/tasks/1/log"}


def test_labels_follow_the_standard_payload_where_there_are_any(event_of: EventOf) -> None:
    event = event_of(labels={"site": "north"})
    assert list(standard_payload(event))[-1] == "labels"
    assert json.loads(standard_body(event)) == standard_payload(event)


def test_an_empty_template_is_the_standard_payload(event_of: EventOf) -> None:
    event = event_of()
    assert compile_body("").render(event_context(event)) == standard_body(event)


@any_event
@given(subject=st.text(), summary=st.text(), actor=st.text(), task_id=st.text())
def test_no_text_changes_anything_but_its_own_leaf(
    event_of: EventOf, subject: str, summary: str, actor: str, task_id: str
) -> None:
    event = event_of(subject=subject, summary=summary, actor=actor, task_id=task_id)
    assert rendered(PAGE_TEMPLATE, event) == {
        "type": "backup.failed",
        "severity": "error",
        "subject": subject,
        "summary": summary,
        "task_id": task_id,
        "actor": actor,
        "timestamp": "2026-05-21T02:14:35Z",
    }


@pytest.mark.parametrize(
    "hostile",
    ['a","severity":"info","x":"', "line\nbreak", "\\", "{{event.actor}}", "{% if %}", "\x00"],
)
def test_a_hostile_summary_stays_a_summary(event_of: EventOf, hostile: str) -> None:
    body = rendered(PAGE_TEMPLATE, event_of(summary=hostile))
    assert (body["severity"], body["summary"]) == ("error", hostile)


@any_event
@given(labels=st.dictionaries(st.text(), st.text()))
def test_a_leaf_that_is_one_expression_keeps_its_type(
    event_of: EventOf, labels: dict[str, str]
) -> None:
    assert leaf("{{ event.labels }}", event_of(labels=labels)) == labels


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{{ event.labels.free|int }}", 42),
        ("{{event.labels.free|float}}", 42.5),
        ("{{ event.groups }}", ["ops", "dev"]),
        ("{{ event.severity == 'error' }}", True),
        ("{{ event.labels|length }} labels", "3 labels"),
        (" {{ event.labels.free|int }}", " 42"),
        ("{{ event.labels['vm-id'] }}", "12345"),
        ("{{ event.labels.items }}", "an item"),
        ("{{ event.labels.absent }}", ""),
        ("{{ event.links.absent }}", ""),
        ("{{ event.labels.absent|default('none') }}", "none"),
        ("{{ event.labels.absent|default(0)|int }}", 0),
        ("{{ event.task_url or 'none' }}", "https://ibs.example.com/#tasks/1"),
        ("{{ event.summary|truncate(4) }}", "Tas…"),
        ("{{ event.type|replace('.', ' ')|title }}", "Backup Failed"),
        ("{{ event.groups|join(', ') }}", "ops, dev"),
        ("{{ event.groups|first|upper }} {{ event.groups|last }}", "OPS dev"),
        ("{{ event.task_id|urlencode }}", "UPID%3Abackup%3A00C123%3A6643%3Aabc..."),
        ("{{ event.type ~ '/' ~ event.severity }}", "backup.failed/error"),
        ("{{ 'a' if event.severity >= 'warning' else 'b' }}", "a"),
        ("{% if event.severity > 'error' %}!{% elif event.actor %}by{% else %}?{% endif %}", "by"),
        ("{{ event.type in ['backup.failed', 'sync.failed'] }}", True),
        ("{{ 'vm/' in event.resource and not event.labels.absent }}", True),
        ("{{ 'dev' not in event.groups }}", False),
        ("{{ event.labels.free|round(1) >= 42.5 }}", True),
        ("{{ event.labels|tojson }}!", '{"free":"42.5","vm-id":"12345","items":"an item"}!'),
        ("no template }} here", "no template }} here"),
        ("line\n{{ event.type }}\n", "line\nbackup.failed\n"),
    ],
)
def test_an_expression_gives_what_it_says(
    event_of: EventOf, expression: str, expected: object
) -> None:
    labels = {"free": "42.5", "vm-id": "12345", "items": "an item"}
    value = leaf(expression, event_of(labels=labels, groups=("ops", "dev")))
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("text", ["", "x", "9" * 5000, "nan", "1e999", "-inf", "٣"])
def test_a_label_that_is_no_number_still_renders(event_of: EventOf, text: str) -> None:
    event = event_of(labels={"n": text})
    for each in ("int", "float", "round", "round(2)"):
        assert isinstance(leaf(f"{{{{ event.labels.n|{each} }}}}", event), (int, float))


def test_severities_compare_by_rank_and_not_by_the_alphabet(event_of: EventOf) -> None:
    critical = event_of(severity=Severity.CRITICAL)
    assert leaf("{{ event.severity >= 'error' }}", critical) is True
    assert leaf("{{ 'warning' < event.severity }}", critical) is True


def test_the_whole_event_can_be_one_leaf(event_of: EventOf) -> None:
    assert leaf("{{ event }}", event_of())["source"] == "backup"


def test_a_leading_byte_order_mark_is_ignored(event_of: EventOf) -> None:
    assert rendered('\ufeff{"a": "{{event.type}}"}', event_of()) == {"a": "backup.failed"}


def test_values_that_are_no_strings_are_kept(event_of: EventOf) -> None:
    document: dict[str, Any] = {"a": [1, 2.5, True, None, {}], "b": "{{ event.type }}"}
    assert rendered(json.dumps(document), event_of()) == {**document, "b": "backup.failed"}


def test_a_lone_surrogate_in_a_template_still_gives_utf_8(event_of: EventOf) -> None:
    assert rendered(r'{"a": "\ud800"}', event_of()) == {"a": "?"}


def test_a_template_error_is_an_invalid_argument_with_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        compile_body('{"a": "{{event.sevrity}}"}')
    assert caught.value.reason is Reason.TEMPLATE_INVALID
    assert caught.value.violations[0].path == "body_template"


def test_the_standard_payload_of_the_worst_event_is_rendered(worst_event: Event) -> None:
    assert json.loads(standard_body(worst_event)) == standard_payload(worst_event)
    assert compile_body(PAGE_TEMPLATE).render(event_context(worst_event))


OPTIONAL = '{"a": [{"$if": "{{ event.actor }}", "who": "{{ event.actor }}"}, {"b": 1}], "c": 2}'


def test_an_object_is_left_out_where_its_condition_is_empty(event_of: EventOf) -> None:
    assert rendered(OPTIONAL, event_of(actor="me")) == {"a": [{"who": "me"}, {"b": 1}], "c": 2}
    assert rendered(OPTIONAL, event_of(actor="")) == {"a": [{"b": 1}], "c": 2}
    member = '{"c": {"$if": "{{ suppressed > 0 }}", "d": {"$if": "{{ event.actor }}"}}}'
    assert rendered(member, event_of()) == {}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{"a": {"$if": true}}', r"column 8: \$if takes an expression"),
        ('{"a": {"$if": "yes"}}', r"column 8: \$if takes an expression"),
        ('{"$if": "{{ event.actor }}"}', "the whole body cannot be left out"),
    ],
)
def test_a_condition_is_an_expression_and_not_of_the_whole(template: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        compile_body(template)
