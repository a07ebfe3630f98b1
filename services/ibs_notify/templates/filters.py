"""The filters of templates: the allow-list, what each takes and gives, and the bounds of arguments.

None raises on any value of the kinds it takes, but for results that grow too large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from ibs_notify.templates.escaping import one_line, web_link
from ibs_notify.templates.run import MOST_RESULT, to_json, to_text, too_large
from ibs_notify.templates.shapes import NUMBER, PAIR, TEXT, Kind, Shape

Gives = Callable[[Shape], Shape]


@dataclass(frozen=True, slots=True)
class NumberArgument:
    """A whole number written in the template, within bounds."""

    low: int
    high: int
    required: bool = False

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class TextArgument:
    """A quoted text written in the template."""

    low: int = 0
    high: int = 200
    required: bool = False

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and self.low <= len(value) <= self.high

    def __str__(self) -> str:
        return f"a quoted text of {self.low} to {self.high} characters"


@dataclass(frozen=True, slots=True)
class Filter:
    """``apply(value, *arguments)``; ``weight`` is how many characters are one unit of work."""

    usage: str
    takes: frozenset[Kind]
    gives: Gives
    apply: Callable[..., Any]
    arguments: tuple[NumberArgument | TextArgument, ...] = ()
    weight: int = 16


def _truncate(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _replace(text: str, old: str, new: str) -> str:
    if len(new) > len(old) and text.count(old) * len(new) > MOST_RESULT:
        raise too_large()
    return text.replace(old, new)


def _indent(text: str, width: int = 4) -> str:
    if text.count("\n") * width > MOST_RESULT:
        raise too_large()
    return text.replace("\n", "\n" + " " * width)


def _join(value: Any, separator: str = "") -> str:
    return separator.join(map(to_text, value))


def _first(value: Any) -> Any:
    return next(iter(value), "")


def _last(value: Any) -> Any:
    return next(reversed(value), "")


def _dictsort(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(value.items(), key=lambda item: (item[0].lower(), item[0]))


def _float(value: Any) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def _int(value: Any, default: int = 0) -> int:
    try:
        return int(value)
    except (ValueError, OverflowError):
        pass
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return default


def _round(value: Any, digits: int = 0) -> float | int:
    number = round(_float(value), digits)
    return number if digits else int(number)


def _urlencode(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _element(shape: Shape) -> Shape:
    return shape.items if shape.kind is Kind.LIST and shape.items is not None else TEXT


def _text(_: Shape) -> Shape:
    return TEXT


def _number(_: Shape) -> Shape:
    return NUMBER


def _pairs(_: Shape) -> Shape:
    return Shape(Kind.LIST, items=PAIR)


_TEXTS: Final = frozenset({Kind.TEXT, Kind.SEVERITY})
_NUMERIC: Final = _TEXTS | {Kind.NUMBER}
_MANY: Final = frozenset({Kind.LIST, Kind.MAP})
_ANY: Final = frozenset(Kind) - {Kind.PAIR}

FILTERS: Final[Mapping[str, Filter]] = MappingProxyType(
    {
        "capitalize": Filter("capitalize", _TEXTS, _text, str.capitalize),
        "dictsort": Filter("dictsort", frozenset({Kind.MAP}), _pairs, _dictsort, weight=4),
        "first": Filter("first", _TEXTS | {Kind.LIST}, _element, _first),
        "float": Filter("float", _NUMERIC, _number, _float),
        "indent": Filter("indent(4)", _TEXTS, _text, _indent, (NumberArgument(0, 40),)),
        "int": Filter("int(0)", _NUMERIC, _number, _int, (NumberArgument(-(10**9), 10**9),)),
        "join": Filter("join(', ')", _MANY, _text, _join, (TextArgument(),)),
        "last": Filter("last", _TEXTS | {Kind.LIST}, _element, _last),
        "length": Filter("length", _TEXTS | _MANY, _number, len, weight=1024),
        "link": Filter("link", _TEXTS, _text, web_link),
        "lower": Filter("lower", _TEXTS, _text, str.lower),
        "oneline": Filter("oneline", _TEXTS, _text, one_line),
        "replace": Filter(
            "replace('old', 'new')",
            _TEXTS,
            _text,
            _replace,
            (TextArgument(low=1, required=True), TextArgument(required=True)),
            weight=4,
        ),
        "round": Filter("round(1)", _NUMERIC, _number, _round, (NumberArgument(0, 10),)),
        "title": Filter("title", _TEXTS, _text, str.title, weight=4),
        "tojson": Filter("tojson", _ANY, _text, to_json, weight=8),
        "trim": Filter("trim", _TEXTS, _text, str.strip),
        "truncate": Filter(
            "truncate(200)", _TEXTS, _text, _truncate, (NumberArgument(1, 65536, required=True),)
        ),
        "upper": Filter("upper", _TEXTS, _text, str.upper),
        "urlencode": Filter("urlencode", _TEXTS, _text, _urlencode, weight=1),
    }
)
"""``default`` is the one more: its argument is an expression, so ``expressions`` builds it."""
