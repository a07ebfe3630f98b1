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
    """The compiled templates of a mail target."""

    subject: Program
    text: Program
    html: Program | None

    @classmethod
    def compile(
        cls, subject: str | None = None, text: str | None = None, html: str | None = None
    ) -> MailTemplates:
        """Check and compile templates; the built-in ones stand in for those not given.

        A mail with an own text and no own HTML is text only, since the built-in HTML would say
        something else. Raises InvalidArgument with line, column and the likeliest fix.
        """
        return cls(
            _builtin("subject") if subject is None else _compile("subject", subject),
            _builtin("text") if text is None else _compile("text", text),
            _html(html, own_text=text is not None),
        )

    def render(self, context: Mapping[str, Any]) -> RenderedMail:
        """The message for the variables of ``context.event_context``.

        Raises InvalidArgument (TEMPLATE_INVALID) when a part is larger than 256 KiB or takes too
        much work; no event makes it fail otherwise.
        """
        subject = one_line(self.subject.text(Run(context)))
        if len(subject) > MOST_SUBJECT:
            subject = subject[: MOST_SUBJECT - 1] + "…"
        html = None if self.html is None else _part(self.html, context)
        return RenderedMail(subject, _part(self.text, context), html)


_ESCAPING: Final[Mapping[str, Escaping]] = {"subject": PLAIN, "text": MAIL_TEXT, "html": HTML}


def _html(html: str | None, *, own_text: bool) -> Program | None:
    if html is not None:
        return _compile("html", html)
    return None if own_text else _builtin("html")


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
def _builtin(part: str) -> Program:
    return _compile(part, builtin_text(part))


def _part(program: Program, context: Mapping[str, Any]) -> str:
    text = program.text(Run(context))
    if len(text.encode("utf-8", errors="replace")) > MOST_RESULT:
        raise too_large()
    return text
