"""What may be written at a place of a rule, the likeliest first.

Only what the grammar allows there: a completion put in makes a rule, or the beginning of one.
Places are numbers of characters (code points) from the beginning of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from lark import Token

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.rules import format as canonical
from ibs_notify.rules.analyze import Kind
from ibs_notify.rules.ast import Field, Operator, Position
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.meanings import FIELDS, OPERATORS, SEVERITIES
from ibs_notify.rules.parse import SIZE_LIMIT, Reading, is_too_long, read
from ibs_notify.rules.reader import Expecting, Reader
from ibs_notify.rules.values import compared
from ibs_notify.rules.vocabulary import fitting_operators

MOST: Final = 50

_SOURCES: Final = tuple(dict.fromkeys(each.source for each in CATALOGUE.values()))
_PATHS: Final = (
    Operator.EQ,
    Operator.NE,
    Operator.IN,
    Operator.NOT_IN,
    Operator.STARTS_WITH,
    Operator.UNDER,
)
_WORD_END = re.compile(r"[^\s\"'“”‘’(),=<>&|\\]*")
_SYMBOL_END = re.compile(r"[=<>!~]*")
_BLANK_OR_MARK = re.compile(r"[\s(),]")
_QUOTES = ('"', "'")
_NOWHERE = Position()


@dataclass(frozen=True, slots=True)
class Completion:
    """What to put in the place of the word."""

    text: str
    kind: Kind
    description: str = ""


@dataclass(frozen=True, slots=True)
class Completions:
    """What may take the place of the characters from ``start`` up to ``end``.

    ``field`` is the field whose value is written there, such as ``labels.site``, or empty.
    """

    found: tuple[Completion, ...] = ()
    start: int = 0
    end: int = 0
    field: str = ""


def complete(
    text: str, position: int, resources: Sequence[str] = (), reading: Reading | None = None
) -> Completions:
    """``resources`` are canonical ones that are known to matter. Never raises.

    ``reading`` is of ``text``, where it was read already.
    """
    position = min(max(position, 0), len(text))
    nothing = Completions((), position, position)
    if is_too_long(text):
        return nothing
    reading = reading or read(text)
    start = _word_start(reading, position)
    if start is None:
        return nothing
    reader = _reader_at(reading, start)
    written = text[start:position]
    end = _word_end(text, start, position)
    room = SIZE_LIMIT - len((text[:start] + text[end:]).encode("utf-8", "surrogatepass"))
    found = [
        each
        for each in _fitting(_possible(reader, resources), written.strip("\"'").lower())
        if each.text != written and len(each.text.encode()) <= room
    ]
    return Completions(tuple(found[:MOST]), start, end, _field_of_value(reader))


def _word_start(reading: Reading, position: int) -> int | None:
    """Where the word before ``position`` begins; None behind what cannot be understood."""
    before = reading.reader.text[:position]
    fault = reading.fault.offset_in(reading.reader.text) if reading.fault else position
    if fault < position:
        word = before[fault:]
        is_one = word[:1] in _QUOTES or not _BLANK_OR_MARK.search(word)
        return fault if is_one else None
    at = bisect_left(reading.tokens, position, key=_start_of) - 1
    last = reading.tokens[at] if at >= 0 else None
    if last is None or last.type in ("_LPAR", "_RPAR", "_COMMA"):
        return position
    return _start_of(last) if _start_of(last) + len(last) >= position else position


def _start_of(token: Token) -> int:
    return token.start_pos or 0


def _reader_at(reading: Reading, start: int) -> Reader:
    """As it was when it had seen what is before ``start``."""
    reader = Reader(reading.reader.text)
    for token in reading.tokens:
        if _start_of(token) >= start:
            break
        reader.see(token)
    return reader


def _word_end(text: str, start: int, position: int) -> int:
    if start == position:
        return position
    if text[start] in _QUOTES:
        rest = text[position:].partition(text[start])
        closes = rest[1] and text[position - 1] != text[start] and not rest[0].split()
        return position + len(rest[0]) + 1 if closes else position
    pattern = _SYMBOL_END if text[start] in "=<>!~" else _WORD_END
    found = pattern.match(text, position)
    return found.end() if found else position


def _fitting(possible: Iterable[Completion], written: str) -> Iterator[Completion]:
    """Those that begin with what is written, then those that hold it."""
    known = [(each, each.text.strip("\"'").lower()) for each in possible]
    yield from (each for each, text in known if text.startswith(written))
    if len(written) > 1:
        yield from (
            each for each, text in known if written in text and not text.startswith(written)
        )


def _possible(reader: Reader, resources: Sequence[str]) -> Iterator[Completion]:
    match reader.expecting:
        case Expecting.CONDITION:
            return _conditions(reader)
        case Expecting.OPERATOR:
            fitting = fitting_operators(reader.field)
            return (Completion(each, Kind.OPERATOR, OPERATORS[each]) for each in fitting)
        case Expecting.LIST:
            return _lists(reader)
        case Expecting.VALUE | Expecting.LIST_VALUE:
            return _values(reader, resources)
        case Expecting.COMMA:
            return _list_goes_on(reader)
        case Expecting.CONNECTIVE:
            return _connectives(reader)
        case _:
            assert_never(reader.expecting)


def _lists(reader: Reader) -> Iterator[Completion]:
    if reader.field is Field.SEVERITY:
        yield Completion("(error, critical)", Kind.VALUE, "A list of severities")
    yield Completion("(", Kind.PUNCTUATION, "A list of values")


def _list_goes_on(reader: Reader) -> Iterator[Completion]:
    if reader.list_has_room:
        yield Completion(",", Kind.PUNCTUATION, "Another value")
    yield Completion(")", Kind.PUNCTUATION, "The end of the list")


def _connectives(reader: Reader) -> Iterator[Completion]:
    if reader.has_room:
        yield Completion("and", Kind.KEYWORD, "Both must hold; binds tighter than or")
        yield Completion("or", Kind.KEYWORD, "One must hold")
    if reader.opened:
        yield Completion(")", Kind.PUNCTUATION, "The end of the part")


def _conditions(reader: Reader) -> Iterator[Completion]:
    if not reader.has_room:
        return
    for field in Field:
        if field is not Field.LABEL:
            yield Completion(field.value, Kind.FIELD, FIELDS[field])
    yield Completion("labels.", Kind.FIELD, FIELDS[Field.LABEL])
    yield Completion("not", Kind.KEYWORD, "What follows must not hold")
    yield Completion("(", Kind.PUNCTUATION, "A part that is decided first")
    if not reader.previous:
        yield Completion("*", Kind.KEYWORD, "Every event")


def _values(reader: Reader, resources: Sequence[str]) -> Iterator[Completion]:
    if not reader.list_has_room:
        return
    for text, description in _texts(reader.field, reader.operator, resources):
        try:
            compared(reader.field, reader.operator, text, _NOWHERE)
        except RuleError:
            continue
        yield Completion(canonical.value(text), Kind.VALUE, description)


def _texts(field: Field, operator: Operator, resources: Sequence[str]) -> Iterator[tuple[str, str]]:
    match field:
        case Field.SEVERITY:
            yield from SEVERITIES.items()
        case Field.SOURCE:
            yield from ((each, f"Of type {each}.…") for each in _SOURCES)
        case Field.TYPE:
            yield from _types(operator)
        case Field.RESOURCE if operator in _PATHS:
            yield from ((each, "A group is attached to it") for each in resources)
        case _:
            return


def _types(operator: Operator) -> Iterator[tuple[str, str]]:
    match operator:
        case Operator.STARTS_WITH:
            yield from ((f"{each}.", f"All of {each}") for each in _SOURCES)
        case Operator.MATCHES:
            yield from ((f"{each}.*", f"All of {each}") for each in _SOURCES)
        case Operator.ENDS_WITH | Operator.CONTAINS:
            ends = dict.fromkeys(each.rpartition(".")[2] for each in CATALOGUE)
            yield from ((f".{each}", f"Whatever is {each}") for each in ends)
        case _:
            yield from ((each.name, each.meaning) for each in CATALOGUE.values())


def _field_of_value(reader: Reader) -> str:
    if reader.expecting not in (Expecting.VALUE, Expecting.LIST_VALUE):
        return ""
    return f"labels.{reader.label}" if reader.field is Field.LABEL else reader.field.value
