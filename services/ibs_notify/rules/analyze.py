"""What a rule is made of while it is being written: its parts, and what is wrong with it.

Places are numbers of characters (code points) from the beginning of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lark import Token

from ibs_notify.domain.severity import Severity
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.likelier import likelier
from ibs_notify.rules.parse import Reading, check_size, finish, read
from ibs_notify.rules.possible import severities_possible
from ibs_notify.rules.repair import repaired
from ibs_notify.rules.vocabulary import RESERVED, is_field, is_operator
from ibs_notify.rules.warn import warnings


class Kind(StrEnum):
    """What a part of a rule is."""

    FIELD = "FIELD"
    OPERATOR = "OPERATOR"
    VALUE = "VALUE"
    KEYWORD = "KEYWORD"
    PUNCTUATION = "PUNCTUATION"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Part:
    """The characters from ``start`` up to ``end``. Between parts are blanks."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong first. ``line`` and ``column`` count from 1; ``position`` from 0.

    ``fixed`` is the whole rule as it was probably meant, or empty.
    """

    line: int
    column: int
    position: int
    message: str
    advice: str
    fixed: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """``canonical`` is empty where there is a fault; ``reading`` is none of what is not read.

    ``likelier`` is the whole rule as it was probably meant where there are ``warnings``, or empty.
    ``severities`` are those that what it matches may have, the gravest first.
    """

    parts: tuple[Part, ...]
    fault: Fault | None = None
    canonical: str = ""
    warnings: tuple[str, ...] = ()
    likelier: str = ""
    reading: Reading | None = None
    severities: tuple[Severity, ...] = ()


_KINDS = {
    "FIELD": Kind.FIELD,
    "OPERATOR": Kind.OPERATOR,
    "VALUE": Kind.VALUE,
    "STRING": Kind.VALUE,
    "STAR": Kind.KEYWORD,
    "_AND": Kind.KEYWORD,
    "_OR": Kind.KEYWORD,
    "_NOT": Kind.KEYWORD,
    "_LPAR": Kind.PUNCTUATION,
    "_RPAR": Kind.PUNCTUATION,
    "_COMMA": Kind.PUNCTUATION,
}
_PUNCTUATION = frozenset("(),")
# Behind a fault nobody knows what is meant: a word is what it mostly is.
_ROUGH = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[(),]|[=<>!~]+|[^\s\"'(),=<>]+", re.DOTALL
)


def analyze(text: str) -> Analysis:
    """Never raises: a wrong rule is an answer."""
    try:
        check_size(text)
    except RuleError as error:
        whole = Part(Kind.FAULT, len(text) - len(text.lstrip()), len(text.rstrip()))
        return Analysis((whole,) if text.strip() else (), _fault(text, error))
    reading = read(text)
    try:
        rule = finish(reading)
    except RuleError as error:
        fault = _fault(text, error, repaired(reading, error))
        parts = tuple(_parts_around(reading, fault.position))
        return Analysis(parts, fault, reading=reading)
    parts = tuple(_part(token) for token in reading.tokens)
    said = warnings(rule)
    meant = likelier(rule) if said else ""
    possible = severities_possible(rule)
    return Analysis(parts, None, format_rule(rule), said, meant, reading, possible)


def _fault(text: str, error: RuleError, fixed: str = "") -> Fault:
    position = error.offset_in(text)
    return Fault(error.line, error.column, position, error.problem, error.advice, fixed)


def _part(token: Token) -> Part:
    start = token.start_pos or 0
    return Part(_KINDS[token.type], start, start + len(token))


def _parts_around(reading: Reading, position: int) -> Iterator[Part]:
    """As it is read up to the fault, the fault, and a guess of what is behind it."""
    end = 0
    before = Kind.KEYWORD
    for token in reading.tokens:
        part = _part(token)
        yield part
        end, before = part.end, part.kind
    for found in _ROUGH.finditer(reading.reader.text, end):
        start, end = found.span()
        kind = Kind.FAULT if start <= position < end else _guess(found[0], before)
        yield Part(kind, start, end)
        before = kind


def _guess(word: str, before: Kind) -> Kind:
    if word in _PUNCTUATION:
        return Kind.PUNCTUATION
    if word.lower() in RESERVED or (word == "*" and before is not Kind.OPERATOR):
        return Kind.KEYWORD
    if before is Kind.FIELD and is_operator(word):
        return Kind.OPERATOR
    return Kind.FIELD if is_field(word) and before is not Kind.OPERATOR else Kind.VALUE
