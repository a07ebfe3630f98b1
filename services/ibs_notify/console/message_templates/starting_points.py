"""Templates to begin with, so that a small change need not begin with a long text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.console.message_templates.owner import DIGEST


@dataclass(frozen=True, slots=True)
class Point:
    """``title`` says what ``text`` comes to."""

    title: str
    text: str


_MOST_DIGITS = 4
_SUBJECT = "[{{ event.severity }}] {{ event.type }} {{ event.resource }}"
_POINTS: Mapping[str, tuple[Point, ...]] = {
    "subject": (
        Point("Severity and subject", "[{{ event.severity }}] {{ event.subject }}"),
        Point("Severity, type, resource", _SUBJECT),
        Point(
            "The same, with host and group",
            _SUBJECT
            + "{% if event.labels['host'] %} on {{ event.labels['host'] }}{% endif %}"
            + "{% if event.groups %} ({{ event.groups | join(', ') }}){% endif %}",
        ),
    ),
    "text": (
        Point("Subject and summary", "{{ event.subject }}\n\n{{ event.summary }}\n"),
        Point(
            "With what, when and where to look",
            "{{ event.subject }}\n\n{{ event.summary }}\n\n"
            "{{ event.severity }}: {{ event.type }}\n{{ event.resource }}\n{{ event.when }}\n"
            "{{ event.task_url }}\n",
        ),
    ),
    "html": (
        Point(
            "Subject, summary, link",
            "<h1>{{ event.subject }}</h1>\n<p>{{ event.summary }}</p>\n"
            "{% if event.task_url %}"
            '<p><a href="{{ event.task_url | link }}">Open the task</a></p>{% endif %}\n',
        ),
    ),
    "body": (
        Point("One text, as chats take it", '{"text": "{{ event.subject }}"}'),
        Point(
            "The fields one by one",
            '{\n  "type": "{{ event.type }}",\n  "severity": "{{ event.severity }}",\n'
            '  "subject": "{{ event.subject }}",\n  "summary": "{{ event.summary }}",\n'
            '  "task_id": "{{ event.task_id }}",\n  "actor": "{{ event.actor }}",\n'
            '  "timestamp": "{{ event.timestamp }}"\n}\n',
        ),
    ),
    f"{DIGEST}subject": (
        Point("Group and headline", "{{ digest.group }}: {{ digest.headline }}"),
        Point("Headline and span", "{{ digest.headline }}, {{ digest.window }}"),
    ),
    f"{DIGEST}text": (
        Point(
            "The headline and a line for each event",
            "{{ digest.headline }}\n\n{% for line in digest.lines %}\n"
            "{{ line.when }} {{ line.severity }} {{ line.text }}\n{% endfor %}\n",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Start:
    """A field that begins anew: from its point of that number, or without one from nothing."""

    field: str
    number: int | None = None

    @classmethod
    def read(cls, text: str) -> Start:
        """As the buttons of the editor have it: ``digest_text 1``."""
        field, _, number = text.partition(" ")
        is_number = number.isascii() and number.isdigit() and len(number) < _MOST_DIGITS
        return cls(field, int(number) if is_number else None)

    def text(self, points: Sequence[Point]) -> str:
        """What the field begins with."""
        if self.number is None or self.number >= len(points):
            return ""
        return points[self.number].text


def starting_points(field: str, builtin: str = "") -> tuple[Point, ...]:
    """Those of a field, first what is built in where there is such a text."""
    first = (Point("What is built in", builtin),) if builtin else ()
    return (*first, *_POINTS.get(field, ()))
