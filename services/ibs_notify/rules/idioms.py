"""What people bring along from other languages, and how it is said here. Pure.

A fault that is none of a single word: SQL's ``LIKE 'a%'`` and ``IS NULL``, a field said once for
several values, calls as of functions, a connective too many. Whoever uses it checks that a rule
comes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.rules import format as canonical
from ibs_notify.rules.glob import compile_glob
from ibs_notify.rules.vocabulary import SEVERITY_WORDS, is_field, operator_meant

_FIELD = r"(?P<field>labels\.(?:\"[^\"]*\"|[\w.\-/]+)|[a-z_]+)"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'“”‘’(),=<>&|\\\[\]{}]+)"""
_END = r"(?=\s*(?:\Z|\)|&&|\|\||(?:and|or)\b))"
_CALLED = r"(?P<call>contains|(?:starts|ends)[-_]?with|matches|like)"
_ONE_BY_ONE = r"(?P<operator>starts-with|ends-with|contains|matches|under)"
_A_VALUE = re.compile(_VALUE)
_NO_GLOB: Final = re.compile(r"[\\\[\](){}|+?^$]")
_NULLS = r"(?:null|none|nil|empty)"


def sayings(text: str, offset: int) -> Iterator[tuple[str, int]]:
    """``text`` with what stands at ``offset`` as it is said here, and the place behind that."""
    for pattern, say in _IDIOMS:
        for found in pattern.finditer(text):
            if found.start() > offset:
                break
            if offset <= found.end() and (said := say(found)) is not None:
                begin = text[: found.start()]
                yield begin + said + text[found.end() :], len(begin) + len(said)


def is_regular_expression(text: str, offset: int) -> bool:
    """Whether one stands behind the operator at ``offset`` that no glob can say."""
    found = _REGEX.match(text, offset)
    return found is not None and _glob(found["value"]) is None


def _plain(value: str) -> str:
    return value[1:-1] if value[:1] in ('"', "'") else value


def _values(listed: str) -> list[str] | None:
    """Those of a list, whatever parts them; None where it holds anything else."""
    if _A_VALUE.sub("", listed).strip(", \t\n"):
        return None
    return _A_VALUE.findall(listed)


def _listed(found: re.Match[str]) -> str | None:
    values = _values(found["list"])
    if not values or any(each.lower() in ("and", "or", "not") for each in values):
        return None
    return f"{found['before']}({', '.join(values)})"


def _in_list(found: re.Match[str]) -> str | None:
    values = _values(found["list"])
    operator = "not-in" if found["operator"] in ("!=", "<>") else "in"
    return f"{found['field']} {operator} ({', '.join(values)})" if values else None


def _each(found: re.Match[str]) -> str | None:
    """An operator that takes one value, said once for each."""
    values = _values(found["list"])
    if not values:
        return None
    said = [f"{found['field']} {found['operator']} {each}" for each in values]
    return said[0] if len(said) == 1 else f"({' or '.join(said)})"


def _like(found: re.Match[str]) -> str:
    glob = canonical.value(_plain(found["value"]).replace("%", "*"))
    return f"{'not ' if found['not'] else ''}{found['field']} matches {glob}"


def _null(found: re.Match[str]) -> str:
    return f'{found["field"]} {"!=" if found["not"] else "="} ""'


def _called(found: re.Match[str]) -> str:
    return f"{found['field']} {operator_meant(found['call'])} {found['value']}"


def _glob(value: str) -> str | None:
    """The glob that says the same as a simple regular expression."""
    inner = _plain(value)
    inner = inner[1:-1] if len(inner) > 1 and inner[0] == inner[-1] == "/" else inner
    body = inner.removeprefix("^").removesuffix("$").replace(".*", "*").replace(r"\.", ".")
    if _NO_GLOB.search(body):
        return None
    before = "" if inner.startswith("^") else "*"
    after = "" if inner.endswith("$") else "*"
    return re.sub(r"\*+", "*", f"{before}{body}{after}")


def _regex(found: re.Match[str]) -> str | None:
    glob = _glob(found["value"])
    return None if glob is None else f"matches {canonical.value(glob)}"


def _known(found: re.Match[str]) -> str | None:
    """A value alone of which one knows what it is."""
    word = _plain(found["value"])
    if word.lower() in SEVERITY_WORDS:
        return f"severity = {word}"
    if word.lower() in CATALOGUE:
        return f"type = {word.lower()}"
    return None


def _some_types(found: re.Match[str]) -> str | None:
    try:
        holds = compile_glob(found[0])
    except ValueError:
        return None
    return f"type matches {found[0]}" if any(map(holds, CATALOGUE)) else None


def _unquoted(found: re.Match[str]) -> str | None:
    return found["field"] if is_field(found["field"]) else None


def _turned(found: re.Match[str]) -> str | None:
    if not is_field(found["field"]) or is_field(found["value"]):
        return None
    return f"{found['field']} {found['operator']} {found['value']}"


def _equal(found: re.Match[str]) -> str | None:
    return f"{found['field']} = {found['value']}" if is_field(found["field"]) else None


def _joined(found: re.Match[str]) -> str | None:
    """``severity:error type:backup.failed``: conditions with nothing between mean all of them."""
    said = _equal(found)
    return None if said is None else f" and {said}"


def _valid_ranges(found: re.Match[str]) -> str | None:
    glob = re.sub(r"\[[^\]]*\]|\[", _valid_range, found["value"])
    return None if glob == found["value"] else f"{found['before']}{glob}"


def _valid_range(found: re.Match[str]) -> str:
    if found[0] == "[":
        return "[[]"
    return re.sub(r"([^\[!])-([^\]])", lambda each: "-".join(sorted((each[1], each[2]))), found[0])


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_REGEX = _pattern(rf"(?:=~|~=|~|regexp?|rlike)\s*(?P<value>/(?:[^/\\\s]|\\.)*/|{_VALUE})")
_Say = Callable[[re.Match[str]], str | None]
_IDIOMS: Final[tuple[tuple[re.Pattern[str], _Say], ...]] = (
    (_pattern(rf"\b{_FIELD}\s+(?P<not>not\s+)?i?like\s+(?P<value>{_VALUE})"), _like),
    (_pattern(rf"\b{_FIELD}\s+(?:is|==?)\s+(?P<not>not\s+)?{_NULLS}\b"), _null),
    (_REGEX, _regex),
    (_pattern(rf"\b{_CALLED}\s*\(\s*{_FIELD}\s*,\s*(?P<value>{_VALUE})\s*\)"), _called),
    (_pattern(rf"\b(?P<field>[a-z_]+)\.{_CALLED}\s*\(\s*(?P<value>{_VALUE})\s*\)"), _called),
    (_pattern(rf"\b{_FIELD}\s+{_ONE_BY_ONE}\s*\((?P<list>[^()]*)\)"), _each),
    (
        _pattern(rf"\b{_FIELD}\s+{_ONE_BY_ONE}\s+(?P<list>{_VALUE}(?:\s*,\s*{_VALUE})+)"),
        _each,
    ),
    (_pattern(r"\b(?P<field>severity)\s*(?P<operator>>=)\s*\((?P<list>[^()]*,[^()]*)\)"), _in_list),
    (
        _pattern(r"\b(?P<field>severity)\s*(?P<operator>[<>]=?)\s*\((?P<list>[^(),]*)\)"),
        lambda found: f"{found['field']} {found['operator']} {found['list'].strip()}",
    ),
    (
        _pattern(rf"\b{_FIELD}\s*(?P<operator>==?|!=|<>)\s*[\[{{](?P<list>[^\[\]{{}}]*)[\]}}]"),
        _in_list,
    ),
    (_pattern(r"(?P<before>\bin\s*)\((?P<list>[^()]*)\)"), _listed),
    (_pattern(r"(?P<mark>[<>!=])\s+="), lambda found: f"{found['mark']}=".replace("==", "=")),
    (_pattern(r"\bisn['’]?t\b"), lambda _: "!="),
    (_pattern(r"!in\b"), lambda _: "not-in"),
    (_pattern(rf"\b{_FIELD}:(?P<value>{_VALUE})"), _equal),
    (_pattern(rf"(?<=[^\s(])\s+{_FIELD}:(?P<value>{_VALUE})"), _joined),
    (_pattern(r"\b(?P<word>and|or)(?:\s+(?P=word)\b)+"), lambda found: found["word"]),
    (_pattern(r"(?<=[^\s(])(?:\s+(?:and|or|not)\b|\s*&&|\s*\|\|)+\s*\Z"), lambda _: ""),
    (_pattern(r"\A\s*(?:where|if|when|and|or)\s+(?=\S)"), lambda _: ""),
    (_pattern(rf"==?\s*(?P<value>{_VALUE})"), _known),
    (_pattern(rf"(?P<value>\"[^\"]*\"|'[^']*'){_END}"), _known),
    (_pattern(r"[\"'](?P<field>[\w.]+)[\"'](?=\s*\S)"), _unquoted),
    (_pattern(r"(?<![^\s(])[\w.*?\-]{0,64}\*[\w.*?\-]{0,64}" + _END), _some_types),
    (
        _pattern(rf"(?<![^\s(])(?P<value>{_VALUE})\s*(?P<operator>!?=)\s*(?P<field>[\w.]+){_END}"),
        _turned,
    ),
    (_pattern(r"(?P<before>\bmatches\s+)(?P<value>\"[^\"]*\"|'[^']*'|[^\s()]+)"), _valid_ranges),
    (
        _pattern(r"(?P<mark>[\"'])(?P<word>[^\"'\s]*)[\"']"),
        lambda found: f"{found['mark']}{found['word']}{found['mark']}",
    ),
)
