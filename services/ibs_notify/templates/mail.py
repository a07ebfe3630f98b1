"""Mail: subject, text and HTML of a message, from the target's templates or the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from ibs_notify.templates.escaping import HTML, MAIL_TEXT, PLAIN, Escaping, one_line
from ibs_notify.templates.faults import Place
from ibs_notify.templates.html_places import check_places
from ibs_notify.templates.program import Program, compile_program
from ibs_notify.templates.run import MOST_RESULT, Run, too_large

MOST_SUBJECT: Final = 250
"""Characters of a rendered subject; what is longer is cut, and ends in an ellipsis."""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """``subject`` is one line without control characters; ``html`` is None for a text mail."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class MailTemplates:
    """The compiled templates of a mail target; None where it has none of its own."""

    subject: Program | None = None
    text: Program | None = None
    html: Program | None = None

    @classmethod
    def compile(
        cls, subject: str | None = None, text: str | None = None, html: str | None = None
    ) -> MailTemplates:
        """Check and compile templates; the built-in ones stand in for those not given.

        A mail with an own text and no own HTML is text only, since the built-in HTML would say
        something else. Raises InvalidArgument with line, column and the likeliest fix.
        """
        return cls(
            None if subject is None else _compile("subject", subject),
            None if text is None else _compile("text", text),
            None if html is None else _compile("html", html),
        )

    def render(self, context: Mapping[str, Any]) -> RenderedMail:
        """The message for the variables of ``context.event_context``.

        A part that comes out blank, as one made for digests does of a weekly summary, has the
        built-in one instead: nobody is sent an empty mail.

        Raises InvalidArgument (TEMPLATE_INVALID) when a part is larger than 256 KiB or takes too
        much work; no event makes it fail otherwise.
        """
        family = _FAMILIES.get(context["event"]["type"], "")
        subject = "" if self.subject is None else one_line(self.subject.text(Run(context)))
        if not subject.strip():
            subject = one_line(_builtin("subject").text(Run(context)))
        if len(subject) > MOST_SUBJECT:
            subject = subject[: MOST_SUBJECT - 1] + "…"
        text, html = _own(self.text, context), _own(self.html, context)
        if text is None:
            text = _part(_builtin("text", family), context)
            if html is None:
                html = _part(_builtin("html", family), context)
        return RenderedMail(subject, text, html)


_ESCAPING: Final[Mapping[str, Escaping]] = {"subject": PLAIN, "text": MAIL_TEXT, "html": HTML}
_FAMILIES: Final[Mapping[str, str]] = {
    "notification.digest": "digest_",
    "notification.weekly-summary": "weekly_",
}
"""Which built-in text and HTML a message has; the others have those of an event."""


def _compile(part: str, text: str) -> Program:
    text = text.replace("\r\n", "\n")
    place = Place(part, text)
    program = compile_program(text, place, _ESCAPING[part], loops=True, trim=True)
    if part == "html":
        check_places(text, place)
    return program


def builtin_text(part: str) -> str:
    """The built-in template of ``subject``, ``text`` or ``html``."""
    file = resources.files("ibs_notify.templates") / "builtin" / f"{part}.j2"
    return file.read_text(encoding="utf-8")


@cache
def _builtin(part: str, family: str = "") -> Program:
    return _compile(part, builtin_text(f"{family}{part}"))


def _own(program: Program | None, context: Mapping[str, Any]) -> str | None:
    """None where there is no template, or nothing comes of it."""
    part = "" if program is None else _part(program, context)
    return part if part.strip() else None


def _part(program: Program, context: Mapping[str, Any]) -> str:
    text = program.text(Run(context))
    if len(text.encode("utf-8", errors="replace")) > MOST_RESULT:
        raise too_large()
    return text
