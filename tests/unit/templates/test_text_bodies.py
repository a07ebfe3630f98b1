"""Form, XML and plain bodies: the escaping fits the type, whatever an event says."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import event_context

EventOf = Callable[..., Event]

FORM = "application/x-www-form-urlencoded"
any_event = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rendered(template: str, content_type: str, event: Event) -> str:
    return compile_body(template, content_type).render(event_context(event)).decode()


@any_event
@given(phone=st.text(), summary=st.text())
def test_any_text_arrives_in_its_own_form_field(
    event_of: EventOf, phone: str, summary: str
) -> None:
    event = event_of(summary=summary, labels={"phone": phone})
    body = rendered("to={{event.labels.phone}}&text={{event.summary}}&x=1", FORM, event)
    assert parse_qsl(body, keep_blank_values=True, strict_parsing=True) == [
        ("to", phone),
        ("text", summary),
        ("x", "1"),
    ]


def test_a_form_template_may_be_laid_out_over_lines(event_of: EventOf) -> None:
    template = "to=%2B49170\r\n  &text=IBS: {{ event.severity }} für\n  &from=ibs\n"
    body = rendered(template, FORM, event_of())
    assert body == "to=%2B49170&text=IBS:+error+f%C3%BCr&from=ibs"


def test_plain_text_is_inserted_as_it_is(event_of: EventOf) -> None:
    event = event_of(summary='<b>"&\n\x07')
    assert rendered("{{ event.summary }}!\n", "Text/Plain; charset=UTF-8", event) == (
        '<b>"&\n\x07!\n'
    )


@any_event
@given(subject=st.text(), summary=st.text())
def test_any_text_arrives_in_its_own_xml_element(
    event_of: EventOf, subject: str, summary: str
) -> None:
    event = event_of(subject=subject, summary=summary)
    template = '<e t="{{ event.subject }}"><s>{{ event.summary }}</s></e>'
    root = ElementTree.fromstring(rendered(template, "application/soap+xml", event))
    assert [element.tag for element in root.iter()] == ["e", "s"]
    kept = "".join(c if c.isprintable() or c in "\t\n\r" else "?" for c in summary)
    found = "".join(c if c.isprintable() or c in "\t\n\r" else "?" for c in root[0].text or "")
    assert found.replace("\ufffd", "?") == kept.replace("\ufffd", "?")


@pytest.mark.parametrize("content_type", [FORM, "text/plain", "text/xml"])
def test_a_lone_surrogate_of_an_event_does_not_fail(event_of: EventOf, content_type: str) -> None:
    assert rendered("a={{ event.summary }}", content_type, event_of(summary="\ud800")) is not None


def test_what_is_no_text_is_written_as_json(event_of: EventOf) -> None:
    event = event_of(labels={"a": "ü"}, groups=("ops",))
    template = "{{ event.labels }} {{ event.groups }} {{ event.actor == '' }} {{ more }}"
    assert rendered(template, "text/plain", event) == '{"a":"ü"} ["ops"] false 0'
