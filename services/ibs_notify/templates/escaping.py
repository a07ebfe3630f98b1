"""How text becomes harmless where it is inserted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

# Not in XML 1.0 (section 2.2, Char), and no use in a mail: C0 but tab and line breaks, C1 but NEL,
# surrogates and non-characters.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LINE_BREAKS: Final = re.compile(r"[ \t]*[\r\n]+[ \t]*")
_FORM_LITERALS: Final = "=&+%*-._~!$'(),;:@/?"
_WEB_LINK: Final = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Escaping:
    """``value`` makes an expression's output safe, ``literal`` prepares the template's own text.

    ``weight`` is how many characters ``value`` handles in one unit of work (see ``run``).
    """

    value: Callable[[str], str]
    literal: Callable[[str], str] = str
    weight: int = 64


def form_value(text: str) -> str:
    """A value of application/x-www-form-urlencoded (WHATWG URL section 5.2): space is ``+``."""
    return quote_plus(text, safe="", errors="replace")


def form_literal(text: str) -> str:
    """The template's own text: line breaks are layout; spaces and non-ASCII are encoded."""
    return quote(_LINE_BREAKS.sub("", text), safe=_FORM_LITERALS + " ").replace(" ", "+")


def xml_value(text: str) -> str:
    """Text for XML 1.0 content or a quoted attribute; what XML cannot hold becomes U+FFFD."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", text)).replace("\r", "&#13;")


def html_value(text: str) -> str:
    """Text for HTML content or a quoted attribute."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", text))


def mail_text_value(text: str) -> str:
    """Text for a plain mail: no terminal escapes, one kind of line break."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Line breaks, control characters and runs of spaces become one space each: for headers."""
    printable = text if text.isprintable() else _CONTROLS.sub(" ", text)
    return " ".join(printable.split())


def web_link(text: str) -> str:
    """``text`` if it is an http or https address, else nothing: for ``href``."""
    return text if _WEB_LINK.fullmatch(text) else ""


PLAIN: Final = Escaping(value=str)
FORM: Final = Escaping(value=form_value, literal=form_literal, weight=1)
XML: Final = Escaping(value=xml_value)
HTML: Final = Escaping(value=html_value)
MAIL_TEXT: Final = Escaping(value=mail_text_value)
