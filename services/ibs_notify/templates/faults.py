"""What is wrong with a template, and where: line and column of the text that was saved."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from jinja2 import TemplateSyntaxError

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason

_BLOCK: Final = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)", re.DOTALL)
_UNKNOWN_TAG: Final = re.compile(r"Encountered unknown tag '(\w+)'")
_UNEXPECTED: Final = re.compile(r"got '(.+)'|unexpected '(.+?)'|unexpected char '(.+?)'")


@dataclass(frozen=True, slots=True)
class Place:
    """Names a text for error messages, and finds a position of it in what the user wrote.

    ``field`` is the path for programs (``body_template``), ``source`` the whole text as saved,
    ``offset`` maps an offset in the parsed part to one in ``source``, and ``pointer`` names the
    part where it is a leaf of a JSON document (RFC 6901).
    """

    field: str
    source: str
    offset: Callable[[int], int] = int
    pointer: str = ""

    def refuse(self, at: int, message: str, advice: str) -> InvalidArgument:
        """The error for a fault at offset ``at`` of the parsed part."""
        offset = min(self.offset(at), len(self.source))
        line = self.source.count("\n", 0, offset) + 1
        column = offset - (self.source.rfind("\n", 0, offset) + 1) + 1
        where = f"line {line}, column {column}" + (f" ({self.pointer})" if self.pointer else "")
        said = f"{where}: {message}"
        return InvalidArgument(
            Reason.TEMPLATE_INVALID,
            f"{self.field}: {said}",
            advice=advice,
            violations=(FieldViolation(self.field, f"{said} ({advice})" if advice else said),),
        )


class Fault(Exception):
    """A fault at a node: its line in the parsed text, and a word that stands at the fault."""

    def __init__(self, message: str, advice: str, *, line: int, word: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.line = line
        self.word = word


def at_fault(place: Place, text: str, fault: Fault) -> InvalidArgument:
    """The error of ``fault`` in ``text``. The word finds the column: nodes know lines only."""
    return place.refuse(_position(text, fault.line, fault.word), fault.message, fault.advice)


def of_syntax(error: TemplateSyntaxError) -> Fault:
    """Jinja's own complaint, with the likeliest fix."""
    message = (error.message or "not a valid template").rstrip(".")
    tag = _UNKNOWN_TAG.match(message)
    if tag is not None:
        name = tag[1]
        return Fault(
            f"{{% {name} %}} is not available here",
            _tag_advice(name),
            line=error.lineno,
            word=name,
        )
    if "end of template" in message.lower():
        return Fault(
            "the template ends in the middle of an expression or a block",
            "close {{ with }}, {% with %}, if with {% endif %}, for with {% endfor %}",
            line=error.lineno,
            word="",
        )
    met = _UNEXPECTED.search(message)
    word = next((group for group in met.groups() if group), "") if met else ""
    advice = "an expression is {{ event.FIELD }}; other label names: event.labels['NAME']"
    return Fault(message, advice, line=error.lineno, word=word)


def closest(name: str, known: Iterable[str]) -> str:
    """The known name most like ``name``, or an empty string."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), "")


def _tag_advice(name: str) -> str:
    near = closest(name, ("if", "elif", "else", "endif", "for", "endfor"))
    return f"did you mean {{% {near} %}}?" if near else "use {% if %}, {% elif %}, {% else %}"


def _position(text: str, line: int, word: str) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    blocks = [block for block in _BLOCK.finditer(text) if block.end() > start]
    if not blocks:
        return min(start, len(text))
    if word:
        bounded = rf"(?<!\w){re.escape(word)}(?!\w)"
        pattern = re.compile(bounded if word[0].isalnum() else re.escape(word))
        for block in blocks:
            found = pattern.search(text, max(block.start(), start), block.end())
            if found is not None:
                return found.start()
    return max(start, blocks[0].start())
