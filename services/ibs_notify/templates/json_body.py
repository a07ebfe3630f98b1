"""JSON bodies: the template is a JSON document, and only its string values are templates.

The document is parsed when it is saved and serialised after its leaves are rendered, so no text of
an event can change its structure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ibs_notify.templates.escaping import PLAIN
from ibs_notify.templates.expressions import MOST_DEPTH
from ibs_notify.templates.faults import Place
from ibs_notify.templates.program import Program, check_length, compile_program
from ibs_notify.templates.run import MOST_RESULT, Run, size_of, to_json, too_large

_OPENERS: Final = ("{{", "{%", "{#")
_CONDITION: Final = "$if"
_ABSENT: Final = object()
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
_CHARACTER: Final = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A string value that holds template syntax."""

    program: Program

    def value(self, run: Run) -> Any:
        whole = self.program.whole
        if whole is None:
            return self.program.text(run)
        value = whole.value(run)
        size = size_of(value)
        run.spend(whole.cost + size // 16)
        run.reserve(size)
        return value


@dataclass(frozen=True, slots=True)
class _Optional:
    """An object that is left out where its condition is empty, false or 0."""

    condition: _Leaf
    members: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A JSON document with templates at its leaves."""

    document: Any

    def render(self, context: Mapping[str, Any]) -> bytes:
        """The body, compact JSON; see ``body.BodyTemplate``."""
        body = encode(to_json(_filled(self.document, Run(context))))
        if len(body) > MOST_RESULT:
            raise too_large()
        return body


def compile_json(text: str, field: str) -> JsonBody:
    """The body of ``text``; raises InvalidArgument as ``body.compile_body`` says."""
    text = text.removeprefix("\ufeff")
    place = Place(field, text)
    check_length(text, place)
    document = _parse(text, place)
    leaves = (match for match in _STRING.finditer(text) if match[2] is None)
    return JsonBody(_compiled(document, leaves, place, ()))


def encode(text: str) -> bytes:
    """UTF-8. A lone surrogate, which only a JSON escape can write, becomes a question mark."""
    return text.encode("utf-8", errors="replace")


def _parse(text: str, place: Place) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise place.refuse(error.pos, *_json_fault(text, error)) from None
    except _DocumentFault as fault:
        at = max(0, text.find(fault.word))
        raise place.refuse(at, fault.message, fault.advice) from None
    except (RecursionError, ValueError):
        raise place.refuse(
            0, "the JSON is too deep or its numbers too long", "shorten it"
        ) from None


class _DocumentFault(Exception):
    """Valid JSON that is no valid template."""

    def __init__(self, message: str, advice: str, word: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.word = word


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DocumentFault(f"the key {key!r} is given twice", "leave one out", key)
        if any(opener in key for opener in _OPENERS):
            raise _DocumentFault("a key is no template", "put the expression in a value", key)
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _DocumentFault(f"{name} is not JSON", f'put it in quotes: "{name}"', name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _DocumentFault("the number is too large", "put it in quotes", digits)
    return number


def _json_fault(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    at = error.pos
    message = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
    before = text[:at].rstrip()
    if any(text[max(0, at - 1) : at + 2].find(opener) >= 0 for opener in _OPENERS):
        end = text.find("}}", at)
        shown = text[text.rfind("{{", 0, at + 2) : end + 2] if 0 < end < at + 60 else "{{…}}"
        return message, f'a template stands inside a string, in quotes: "{shown}"'
    line = before.rpartition("\n")[2]
    if line.rfind("{{") > line.rfind("}}"):
        return message, "inside an expression, use single quotes: {{ event.labels['KEY'] }}"
    if before.endswith(","):
        return message, "remove the comma before the closing bracket"
    if text[at : at + 1] == "'":
        return message, 'JSON takes double quotes: "…"'
    if "delimiter" in error.msg:
        return message, "a comma or a quote may be missing just before"
    if "control character" in error.msg:
        return message, r"write a line break inside a string as \n"
    return message, "check the brackets, quotes and commas"


def _compiled(
    node: Any, leaves: Iterator[re.Match[str]], place: Place, path: tuple[str, ...]
) -> Any:
    """``node`` with its template leaves compiled. Leaves come in the order of the text."""
    if len(path) > MOST_DEPTH:
        raise place.refuse(0, "the JSON is nested too deeply", "make it flatter")
    if isinstance(node, dict):
        members = {
            key: _compiled(value, leaves, place, (*path, key)) for key, value in node.items()
        }
        return members if _CONDITION not in members else _optional(members, place, path)
    if isinstance(node, list):
        return [
            _compiled(value, leaves, place, (*path, str(index))) for index, value in enumerate(node)
        ]
    if not isinstance(node, str):
        return node
    match = next(leaves)
    if not any(opener in node for opener in _OPENERS):
        return node
    there = Place(place.field, place.source, _offsets(match), _pointer(path))
    return _Leaf(compile_program(node, there, PLAIN))


def _optional(members: dict[str, Any], place: Place, path: tuple[str, ...]) -> _Optional:
    condition = members.pop(_CONDITION)
    if not isinstance(condition, _Leaf):
        at = max(0, place.source.find(f'"{_CONDITION}"'))
        raise place.refuse(
            at, f"{_CONDITION} takes an expression", 'such as "$if": "{{ event.task_url }}"'
        )
    if not path:
        raise place.refuse(0, "the whole body cannot be left out", f"take {_CONDITION} out")
    return _Optional(condition, members)


def _offsets(match: re.Match[str]) -> Callable[[int], int]:
    """From an offset in the decoded string to the one in the document, past its escapes."""

    def offset(at: int) -> int:
        position = match.start(1)
        for _ in range(at):
            character = _CHARACTER.match(match.string, position, match.end(1))
            if character is None:
                break
            position = character.end()
        return position

    return offset


def _pointer(path: tuple[str, ...]) -> str:
    # RFC 6901, section 3
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)


def _filled(node: Any, run: Run) -> Any:
    """``node`` with its leaves rendered; ``_ABSENT`` for what is left out."""
    match node:
        case _Leaf():
            return node.value(run)
        case _Optional():
            if not node.condition.value(run):
                return _ABSENT
            return _filled(node.members, run)
        case dict():
            filled = ((key, _filled(value, run)) for key, value in node.items())
            return {key: value for key, value in filled if value is not _ABSENT}
        case list():
            return [value for each in node if (value := _filled(each, run)) is not _ABSENT]
        case _:
            return node
