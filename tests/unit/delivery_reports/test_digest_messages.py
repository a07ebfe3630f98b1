"""A digest reads well as mail and as JSON, and nothing an event says becomes anything but text."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from html.parser import HTMLParser
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.reports import (
    WINDOW,
    built,
    context_of,
    event,
    fits,
    hostile,
    mail_of,
    report_of,
    webhook_of,
)

from ibs_notify.delivery.reports.digest_report import ReportWindow, to_bytes
from ibs_notify.domain.event import Event
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import NO_REPORTS
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.report_shapes import REPORTS
from ibs_notify.templates.run import MOST_RESULT

NIGHT = (
    event("backup.failed", 18.25, task_url="https://ibs.example.com/#tasks/1"),
    event("backup.failed", 19.25, subject="Backup failed again", task_url="javascript:alert(1)"),
    event("backup.completed", 20, "ibs-archive:vm/7", labels={"duration": "3:00"}),
    event("datastore.pruned", 21, "/datastore/ibs-archive"),
)


class Outline(HTMLParser):
    """Which elements there are, with their attributes, and the text outside of styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self._style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._style = tag == "style"
        self.elements.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data


def html_of(events: Sequence[Event], window: ReportWindow = WINDOW) -> str:
    html = mail_of(built(events, window)).html
    assert html is not None
    return html


def test_the_mail_of_a_digest_says_what_fails_and_what_happened_worst_first() -> None:
    mail = mail_of(report_of(*NIGHT))
    assert mail.subject == "[IBS] Daily digest of compliance: 2 failed, 2 others"
    assert mail.text == (
        "Daily digest of compliance: 2 failed, 2 others\n"
        "\n"
        "Wed 20 May 09:00 – Thu 21 May 2026 09:00 (Europe/Berlin)\n"
        "\n"
        "Failed 2, warned 0, succeeded 1, other 1\n"
        "\n"
        "STILL FAILING\n"
        "The last word on each of these in this digest was a problem.\n"
        "\n"
        "  ERROR  ibs-primary:production/vm/12345\n"
        "    backup.failed, 2 times, 03:15 – 04:15\n"
        "    Backup failed again\n"
        "\n"
        "WHAT HAPPENED, WORST FIRST\n"
        "\n"
        "  ERROR  2 × backup.failed on ibs-primary\n"
        "    03:15 – 04:15 - latest: Backup failed again\n"
        "  NOTICE  1 × datastore.pruned on ibs-archive\n"
        "    06:00 - datastore.pruned of /datastore/ibs-archive\n"
        "  INFO  1 × backup.completed on ibs-archive, 3 h\n"
        "    05:00 - backup.completed of ibs-archive:vm/7\n"
        "\n"
        "-- \n"
        "Ironcore Backup Solution · compliance · digest-d-1\n"
    )


def test_the_html_says_the_same_and_links_only_to_the_web() -> None:
    outline = Outline(html_of(NIGHT))
    for each in ("2 failed, 2 others", "Still failing", "3 h", "Backup failed again", "03:15"):
        assert each in outline.text
    assert not [tag for tag, _ in outline.elements if tag == "a"]
    links = Outline(html_of(NIGHT[:1])).elements
    assert {dict(attrs)["href"] for tag, attrs in links if tag == "a"} == {
        "https://ibs.example.com/#tasks/1"
    }


def test_the_html_loads_nothing_and_knows_the_dark() -> None:
    html = html_of(NIGHT)
    assert not {tag for tag, _ in Outline(html).elements} & {"img", "link", "script", "iframe"}
    assert "url(" not in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html


def test_an_empty_digest_says_that_nothing_happened() -> None:
    mail = mail_of(report_of())
    assert mail.subject == "[IBS] Daily digest of compliance: no events"
    for text in (mail.text, mail.html or ""):
        assert "Nothing happened in this time that belongs in this digest." in text
        assert "Still failing".lower() not in text.lower()


def test_times_are_told_in_the_zone_of_the_digest() -> None:
    failed = event("backup.failed", 18.25)
    tokyo = ReportWindow("g", "t", WINDOW.opened_at, WINDOW.closed_at, "Asia/Tokyo", "daily")
    line = webhook_of(built([failed], tokyo))["digest"]["lines"][0]
    assert (line["first_at"], line["when"]) == ("2026-05-21T10:15:00+09:00", "10:15")
    unknown = ReportWindow("g", "t", WINDOW.opened_at, WINDOW.closed_at, "Mars/Base", "daily")
    assert webhook_of(built([failed], unknown))["digest"]["time_zone"] == "UTC"


def test_a_webhook_is_told_in_json_what_the_mail_says() -> None:
    body = webhook_of(report_of(*NIGHT))
    assert body["type"] == "notification.digest"
    assert body["subject"] == "Daily digest of compliance: 2 failed, 2 others"
    assert "weekly" not in body
    digest = body["digest"]
    assert (digest["group"], digest["target"], digest["period"]) == (
        "compliance",
        "ops-smtp",
        "daily",
    )
    assert digest["opened_at"] == "2026-05-20T09:00:00+02:00"
    assert digest["closed_at"] == "2026-05-21T09:00:00+02:00"
    assert {name: digest[name] for name in ("total", "failed", "warned", "succeeded", "other")} == {
        "total": 4,
        "failed": 2,
        "warned": 0,
        "succeeded": 1,
        "other": 1,
    }
    assert digest["severities"] == [
        {"severity": "error", "count": 2},
        {"severity": "notice", "count": 1},
        {"severity": "info", "count": 1},
    ]
    worst, _, last = digest["lines"]
    assert worst["event_ids"] == ["evt-backup.failed-19.25", "evt-backup.failed-18.25"]
    assert (worst["first_at"], worst["last_at"]) == (
        "2026-05-21T03:15:00+02:00",
        "2026-05-21T04:15:00+02:00",
    )
    assert (last["duration_seconds"], last["timed"], last["took"]) == (10_800.0, 1, "3 h")
    assert digest["failing"][0]["resource"] == "ibs-primary:production/vm/12345"


def test_the_payload_of_an_event_has_no_digest() -> None:
    body = compile_body("").render({**context_of(to_bytes(report_of())), **NO_REPORTS})
    assert "digest" not in json.loads(body)


def test_own_templates_may_use_everything_that_a_digest_says() -> None:
    template = json.dumps(
        {
            "text": "{{ digest.headline }}: {{ (digest.lines|first).text }}",
            "urgent": "{{ digest.worst >= 'error' }}",
            "failing": "{{ digest.failing }}",
        }
    )
    told = json.loads(compile_body(template).render(context_of(to_bytes(report_of(*NIGHT)))))
    assert told["text"] == "2 failed, 2 others: 2 × backup.failed on ibs-primary"
    assert told["urgent"] is True
    assert told["failing"][0]["count"] == 2


def test_a_digest_by_the_templates_of_events_still_says_what_happened() -> None:
    templates = MailTemplates.compile(
        subject="{{ event.severity }}: {{ event.subject }}", text="{{ event.summary }}"
    )
    mail = templates.render(context_of(to_bytes(report_of(*NIGHT))))
    assert mail.subject == "info: Daily digest of compliance: 2 failed, 2 others"
    assert "- error: 2 × backup.failed on ibs-primary\n" in mail.text
    assert mail.html is None


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_exactly_what_its_shape_declares(name: str) -> None:
    body = to_bytes(report_of(*NIGHT))
    if name == "digest":
        assert fits(REPORTS[name], context_of(body)[name])
    assert fits(REPORTS[name], NO_REPORTS[name])


# Hostile texts, and many

HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="<>&\"'=/! -abijscript\n\x00"),
    st.sampled_from(
        [
            "</td><script>x</script>",
            '"><img src=x onerror=y>',
            "<!--",
            "]]>",
            "a\r\nBcc: x",
            "{{ 7 }}",
        ]
    ),
)


def marked(text: str) -> list[Event]:
    """Texts in every field that a digest shows; the same lines whatever the text."""
    return [
        event(
            "backup.failed",
            18,
            f"x{text}",
            event_id=f"e{text}",
            subject=f"s{text}",
            task_url=text,
            links={"task_log": text},
            labels={"duration": f"x{text}"},
            task_id=text,
        )
    ]


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE)
def test_no_text_of_an_event_becomes_an_element_a_line_or_a_header(text: str) -> None:
    window = ReportWindow(
        f"g{text}", f"t{text}", WINDOW.opened_at, WINDOW.closed_at, text, f"p{text}"
    )
    plain = ReportWindow("g", "t", WINDOW.opened_at, WINDOW.closed_at, "", "p")
    assert Outline(html_of(marked(text), window)).elements == (
        Outline(html_of(marked(""), plain)).elements
    )
    mail = mail_of(built(marked(text), window))
    assert len(mail.subject.splitlines()) == 1
    plain_lines = mail_of(built(marked(""), plain)).text.count("\n")
    assert mail.text.count("\n") == plain_lines
    assert webhook_of(built(marked(text), window))["digest"]["lines"][0]["subject"] == (
        f"s{text}"[:199] + "…" if len(text) > 199 else f"s{text}"
    )


@pytest.mark.parametrize("fill", ["&", '"', "'", "\x01", "😀", "a"])
def test_the_worst_digest_is_rendered_within_its_bounds(fill: str) -> None:
    stored = to_bytes(built(hostile(number, fill) for number in range(400)))
    began = time.process_time()
    mail = mail_of(stored)
    spent = time.process_time() - began
    body = compile_body("").render(context_of(stored))
    assert max(map(len, (mail.text.encode(), (mail.html or "").encode(), body))) <= MOST_RESULT
    # What is compiled is compiled once; then it is some ten milliseconds.
    assert spent < 2


def test_a_digest_of_as_many_kinds_as_it_lists_is_rendered_whole() -> None:
    chance = Random(2)
    events = [
        event(chance.choice(("backup.failed", "backup.completed")), n / 100, f"store-{n}:vm/{n}")
        for n in range(2000)
    ]
    mail = mail_of(built(events))
    assert mail.text.count(" × ") == 100
    assert "\n  and 1900 more events of other kinds\n" in mail.text
    assert Outline(mail.html or "").text.count("×") == 100
