"""Mail is readable, and nothing an event says becomes a header, a line of ours or an element."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.templates.context import event_context
from ibs_notify.templates.mail import MOST_SUBJECT, MailTemplates, RenderedMail

EventOf = Callable[..., Event]

any_event = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BUILTIN = MailTemplates.compile()


class Outline(HTMLParser):
    """The elements with their attributes, and the text outside of styles."""

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


def mail_of(event: Event, templates: MailTemplates = BUILTIN) -> RenderedMail:
    return templates.render(event_context(event))


def html_of(event: Event, templates: MailTemplates = BUILTIN) -> str:
    html = mail_of(event, templates).html
    assert html is not None
    return html


def test_the_built_in_text_says_what_where_when_and_how_bad(event_of: EventOf) -> None:
    mail = mail_of(event_of(labels={"site": "north"}))
    assert mail.subject == "[IBS error] Backup failed for vm/12345"
    assert mail.text == (
        "ERROR: Backup failed for vm/12345\n"
        "\n"
        "  Task failed at chunk upload step: connection refused\n"
        "\n"
        "What:      backup.failed\n"
        "Where:     ibs-primary:production/vm/12345\n"
        "When:      2026-05-21 02:14:35 UTC\n"
        "Severity:  error\n"
        "Who:       alice@polystack!backup-job\n"
        "Task:      UPID:backup:00C123:6643:abc...\n"
        "Open:      https://ibs.example.com/#tasks/1\n"
        "Log:       https://ibs.example.com/api2/json/tasks/1/log\n"
        "\n"
        "Labels:\n"
        "  site = north\n"
        "\n"
        "-- \n"
        "Ironcore Backup Solution · evt-2026-05-21-001\n"
    )


def test_the_built_in_html_says_the_same(event_of: EventOf) -> None:
    outline = Outline(html_of(event_of(labels={"site": "north"})))
    for each in (
        "ERROR",
        "Backup failed for vm/12345",
        "connection refused",
        "2026-05-21 02:14:35 UTC",
    ):
        assert each in outline.text
    links = [dict(attrs)["href"] for tag, attrs in outline.elements if tag == "a"]
    assert links == [
        "https://ibs.example.com/#tasks/1",
        "https://ibs.example.com/api2/json/tasks/1/log",
    ]


def test_the_built_in_html_loads_nothing_and_knows_the_dark(event_of: EventOf) -> None:
    html = html_of(event_of())
    assert not {tag for tag, _ in Outline(html).elements} & {"img", "link", "script", "iframe"}
    assert "url(" not in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize("severity", Severity)
def test_each_severity_has_its_word_and_its_colour(event_of: EventOf, severity: Severity) -> None:
    html = html_of(event_of(severity=severity))
    assert f';">{severity.label.upper()}</span>' in html
    colours = {
        html_of(event_of(severity=other)).split("background:#", 4)[4][:6] for other in Severity
    }
    assert len(colours) == len(Severity)


def test_an_event_with_nothing_but_a_type_still_makes_a_mail(event_of: EventOf) -> None:
    nothing = dict.fromkeys(("subject", "summary", "task_id", "actor", "resource", "task_url"), "")
    mail = mail_of(event_of(**nothing, links={}))
    assert mail.subject == "[IBS error] backup.failed"
    assert "Where:" not in mail.text
    assert mail.html is not None
    assert "<a " not in mail.html


def test_a_test_message_says_that_it_is_one(event_of: EventOf) -> None:
    mail = mail_of(event_of(type="notification.test", severity=Severity.INFO, subject="Hello"))
    assert mail.subject == "[IBS test] Hello"
    assert mail.text.startswith("This is a test message.")
    assert "This is a test message." in (mail.html or "")


def test_suppressed_events_are_counted(event_of: EventOf) -> None:
    mail = BUILTIN.render(event_context(event_of(), suppressed=4))
    assert mail.subject.endswith("(+4 more)")
    assert "4 more like this since the last message" in mail.text


def test_the_events_of_a_summary_are_listed(event_of: EventOf) -> None:
    rows = [event_of(subject=f"row {n}") for n in range(3)]
    mail = BUILTIN.render(event_context(event_of(type="notification.summary"), rows=rows))
    assert mail.text.count("row ") == 3
    assert (
        "  2026-05-21 02:14:35 UTC  ERROR  row 0 (ibs-primary:production/vm/12345)\n" in mail.text
    )
    assert "row 2" in (mail.html or "")


@any_event
@given(text=st.text())
def test_a_subject_is_one_short_line_without_control_characters(
    event_of: EventOf, text: str
) -> None:
    templates = MailTemplates.compile(subject="{{ event.subject }}{{ event.summary }}")
    subject = mail_of(event_of(subject=text, summary=text * 40), templates).subject
    assert len(subject) <= MOST_SUBJECT
    assert not {unicodedata.category(c) for c in subject} & {"Cc", "Zl", "Zp", "Cs"}


def test_a_subject_folds_line_breaks_to_spaces(event_of: EventOf) -> None:
    event = event_of(subject="a\r\nBcc: x@example.com\x00\u2028b")
    assert mail_of(event).subject == "[IBS error] a Bcc: x@example.com b"


HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="<>&\"'=/! -abijscript\n\x00"),
    st.sampled_from(["</td><script>x</script>", '"><img src=x onerror=y>', "<!--", "]]>", "&lt;"]),
)


@any_event
@given(text=HOSTILE)
def test_no_text_of_an_event_becomes_an_element_or_an_attribute(
    event_of: EventOf, text: str
) -> None:
    plain = event_of(labels={"k": "x"}, task_url="", links={})
    fields = ("event_id", "subject", "summary", "actor", "resource", "task_id")
    changed = dict.fromkeys(fields, "x" + text)
    hostile = event_of(
        **changed, labels={"k" + text: text}, task_url=text, links={"task_log": text}
    )
    expected = Outline(html_of(plain)).elements
    assert Outline(html_of(hostile)).elements == expected


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "http://a b", "//x", ""]
)
def test_only_web_addresses_become_links(event_of: EventOf, url: str) -> None:
    mail = mail_of(event_of(task_url=url, links={"task_log": url}))
    assert "<a " not in (mail.html or "")
    assert "Open:" not in mail.text


def test_a_summary_cannot_pass_for_a_line_of_the_mail(event_of: EventOf) -> None:
    mail = mail_of(event_of(summary="x\r\nSeverity:  info\x1b[2J", labels={"a": "b\nWho: eve"}))
    assert "\n  Severity:  info\ufffd[2J\n" in mail.text
    assert "\nSeverity:  info" not in mail.text
    assert "  a = b Who: eve\n" in mail.text


def test_own_templates_replace_their_part(event_of: EventOf) -> None:
    templates = MailTemplates.compile(
        subject="{{ event.type }}",
        html='<a href="{{ event.task_url|link }}" title="{{ event.actor }}">'
        "{{ event.subject }}</a>",
    )
    mail = mail_of(event_of(subject="<b>", actor='"x'), templates)
    assert mail.subject == "backup.failed"
    assert mail.text.startswith("ERROR: <b>")
    assert mail.html == ('<a href="https://ibs.example.com/#tasks/1" title="&quot;x">&lt;b&gt;</a>')


def test_a_mail_with_an_own_text_and_no_own_html_is_text_only(event_of: EventOf) -> None:
    mail = mail_of(event_of(), MailTemplates.compile(text="{{ event.type }}\n"))
    assert (mail.text, mail.html) == ("backup.failed\n", None)


def test_nobody_is_sent_an_empty_mail(event_of: EventOf) -> None:
    of_digests = MailTemplates.compile(
        subject="{{ digest.headline }}",
        text="{% for line in digest.lines %}{{ line.text }}{% endfor %}\n",
    )
    weekly = event_of(type="notification.weekly-summary", subject="9 of 10 jobs succeeded")
    assert mail_of(weekly, of_digests) == mail_of(weekly)


def test_a_loop_knows_its_place(event_of: EventOf) -> None:
    text = (
        "{% for k, v in event.labels|dictsort %}\n"
        "{{ loop.index }}/{{ loop.length }} {{ k }}={{ v }}{% if not loop.last %},{% endif +%}\n"
        "{% else %}\n"
        "none\n"
        "{% endfor %}\n"
    )
    templates = MailTemplates.compile(text=text)
    assert mail_of(event_of(labels={"b": "2", "A": "1"}), templates).text == "1/2 A=1,\n2/2 b=2\n"
    assert mail_of(event_of(), templates).text == "none\n"


def test_loops_nest_and_give_their_names_back(event_of: EventOf) -> None:
    inner = "{% for g in r.groups %}{{ loop.index }}{{ g }}{% endfor %}"
    text = "{% for r in rows %}" + inner + ";{{ loop.index }}{% endfor %}"
    rows = [event_of(groups=("a", "b")), event_of(groups=())]
    context = event_context(event_of(), rows=rows)
    assert MailTemplates.compile(text=text).render(context).text == "1a2b;1;2"


def test_the_built_in_templates_are_compiled_once() -> None:
    assert MailTemplates.compile().text is BUILTIN.text


def test_the_first_of_no_rows_is_empty(event_of: EventOf) -> None:
    text = "{{ (rows|first).subject }}{% if (rows|first).severity >= 'info' %}!{% endif %}."
    assert mail_of(event_of(), MailTemplates.compile(text=text)).text == "."


@pytest.mark.parametrize(
    ("moment", "zone"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York"),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Tokyo"),
    ],
)
def test_an_event_at_an_end_of_the_calendar_is_told_in_any_zone(
    event_of: EventOf, moment: datetime, zone: str
) -> None:
    context = event_context(event_of(timestamp=moment), zone=ZoneInfo(zone))
    assert context["event"]["when"].endswith(f"{moment:%H:%M:%S} UTC")
    assert BUILTIN.render(context).html


def test_a_mail_whose_own_html_comes_out_blank_is_the_built_in_one(event_of: EventOf) -> None:
    blank = MailTemplates.compile(html="{% if digest.period %}<p>digest</p>{% endif %}\n")
    assert mail_of(event_of(), blank) == mail_of(event_of())
    text = MailTemplates.compile(text="{{ event.subject }}", html="{{ event.labels.site }}")
    assert mail_of(event_of(), text).html is None


def test_a_mail_whose_own_text_comes_out_blank_has_the_built_in_text(event_of: EventOf) -> None:
    own = MailTemplates.compile(text=" {{ event.labels.site }}", html="<p>{{ event.subject }}</p>")
    mail = mail_of(event_of(), own)
    assert (mail.text, mail.html) == (mail_of(event_of()).text, "<p>Backup failed for vm/12345</p>")


SENT = {"target": "ops-smtp", "group": "ops-team", "url": "https://notify.example.com/events/e-1"}


def test_a_mail_ends_with_why_it_was_sent_and_where_to_ask_more(event_of: EventOf) -> None:
    mail = BUILTIN.render(event_context(event_of(), sent=SENT))
    html = Outline(mail.html or "")
    said = "Sent to ops-smtp, because a rule of group ops-team matches."
    assert mail.text.rstrip().splitlines()[-2:] == [
        said,
        f"Why, and what became of it: {SENT['url']}",
    ]
    assert said in html.text
    assert ("href", SENT["url"]) in [pair for _, pairs in html.elements for pair in pairs]


def test_a_mail_without_a_group_or_a_console_says_neither(event_of: EventOf) -> None:
    mail = mail_of(event_of())
    assert "Sent to" not in mail.text + (mail.html or "")
    assert "Why, and" not in mail.text + (mail.html or "")
