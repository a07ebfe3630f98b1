"""No saved template builds a large text or takes long, whatever the event."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import time

import pytest

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.preset import Preset
from ibs_notify.templates.body import BodyTemplate, compile_body
from ibs_notify.templates.context import MOST_ROWS, event_context
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.preset_body import preset_body
from ibs_notify.templates.run import MOST_RESULT


def filled(part: str, length: int = 65_000) -> str:
    return part * (length // len(part))


LOOP = "{% for k, v in event.labels|dictsort %}"
BOMBS = {
    "repeated fields": filled("{{event.summary}}"),
    "long chains": filled("{{event.summary" + "|upper|lower" * 15 + "}}"),
    "silent chains": filled("{%if (event.summary" + "|title" * 30 + ")==''%}{%endif%}"),
    "encodings of encodings": filled("{{event.summary" + "|urlencode" * 30 + "}}"),
    "replacements": filled("{%if event.summary|replace('\x01','" + "x" * 200 + "')%}{%endif%}"),
    "replacements that fit": filled("{%if event.summary|replace('\x01','ab')%}{%endif%}"),
    "searches": filled("{%if '\x01\x01\x01b' in event.summary%}{%endif%}"),
    "concatenations": filled("{%if event.summary~event.summary%}{%endif%}"),
    "indents": filled("{%if event.summary|replace('\x01','\n')|indent(40)%}{%endif%}"),
    "structures": filled("{%if event|tojson%}{%endif%}"),
    "sorts": filled("{%if event.labels|dictsort%}{%endif%}"),
    "many small expressions": filled("{%if event.type and event.actor%}{%endif%}"),
}
LOOPS = {
    "nested loops": LOOP + LOOP.replace("k, v", "a, b") + filled("{{k}}") + "{% endfor %}" * 2,
    "loops in a row": filled((LOOP * 2).replace("k, v", "a, b", 1) + "{%endfor%}" * 2),
    "loops over rows": (
        "{% for r in rows %}{% for q in rows %}"
        + filled("{%if r.summary == q.subject%}{%endif%}", 60_000)
        + "{% endfor %}" * 2
    ),
}


COUNT, COUNT_SECONDS = 200_000, 0.005
MOST_SECONDS = 0.05
MOST_ATTEMPTS = 100


def attempt(template: BodyTemplate | MailTemplates, event: Event) -> float:
    """Render, or be refused for a bound; the CPU seconds that took, at best of several attempts.

    In seconds of a machine that counts to ``COUNT`` in ``COUNT_SECONDS``: each time is held against
    a count made beside it, for a busy neighbour slows both. Not always alike, so one attempt that
    is fast enough settles it: nothing but the template's own work is in all of them.
    """
    context = event_context(event, rows=[event] * 200)
    best = math.inf
    gc.collect()
    gc.freeze()  # what other tests left behind is not the template's
    for _ in range(MOST_ATTEMPTS):
        start = time.thread_time()
        with contextlib.suppress(InvalidArgument):
            template.render(context)
        rendered = time.thread_time()
        for _ in range(COUNT):
            pass
        counted = time.thread_time()
        best = min(best, (rendered - start) * COUNT_SECONDS / (counted - rendered))
        if best < MOST_SECONDS:
            break
    gc.unfreeze()
    return best


@pytest.mark.parametrize("name", BOMBS)
def test_a_body_bomb_is_over_in_50_ms(worst_event: Event, name: str) -> None:
    assert attempt(compile_body(BOMBS[name], "text/plain"), worst_event) < MOST_SECONDS


@pytest.mark.parametrize("name", BOMBS)
def test_a_form_bomb_is_over_in_50_ms(worst_event: Event, name: str) -> None:
    template = compile_body(BOMBS[name], "application/x-www-form-urlencoded")
    assert attempt(template, worst_event) < MOST_SECONDS


@pytest.mark.parametrize("name", LOOPS)
def test_a_mail_bomb_is_over_in_50_ms(worst_event: Event, name: str) -> None:
    assert attempt(MailTemplates.compile(text=LOOPS[name]), worst_event) < MOST_SECONDS


def test_a_json_bomb_is_over_in_50_ms(worst_event: Event) -> None:
    body = "[" + ",".join(['"{{event.labels}}"'] * 3000) + "]"
    assert attempt(compile_body(body), worst_event) < MOST_SECONDS


def test_a_bomb_of_conditions_is_over_in_50_ms(worst_event: Event) -> None:
    each = '{"$if":"{{event.summary|upper|lower}}"}'
    body = "[" + ",".join([each] * (60_000 // len(each))) + "]"
    assert attempt(compile_body(body), worst_event) < MOST_SECONDS


@pytest.mark.parametrize("preset", Preset)
def test_the_body_of_a_preset_is_over_in_50_ms(worst_event: Event, preset: Preset) -> None:
    assert attempt(preset_body(preset), worst_event) < MOST_SECONDS


def test_a_result_of_the_largest_size_is_sent_and_one_more_byte_is_not(
    worst_event: Event,
) -> None:
    context = event_context(worst_event)
    parts = MOST_RESULT // 32768
    fits = compile_body("{{ event.summary }}" * parts, "text/plain")
    assert len(fits.render(context)) == MOST_RESULT
    with pytest.raises(InvalidArgument, match="larger than 256 KiB"):
        compile_body("{{ event.summary }}" * parts + "x", "text/plain").render(context)


def test_the_size_counts_bytes_and_not_characters(worst_event: Event) -> None:
    body = compile_body("é" * 60_000 + "{{ event.resource }}" * 150, "text/plain")
    with pytest.raises(InvalidArgument, match="larger than 256 KiB"):
        body.render(event_context(worst_event))


def test_the_built_in_mail_of_the_worst_event_is_rendered(worst_event: Event) -> None:
    quoted = dataclasses.replace(worst_event, summary="'" * 32768, resource="'" * 1024)
    context = event_context(quoted, suppressed=9, rows=[quoted] * (MOST_ROWS + 5))
    mail = MailTemplates.compile().render(context)
    assert mail.html is not None
    assert "and 5 more" in mail.text
    assert "and 5 more" in mail.html
