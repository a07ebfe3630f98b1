"""The canonical text of a rule: lower-case words, single spaces, quotes only where needed."""

from __future__ import annotations

import re
from typing import assert_never

from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Or, Rule
from ibs_notify.rules.vocabulary import RESERVED

# As VALUE and FIELD in grammar.lark.
_BARE = re.compile(r"[^\s\"'“”‘’(),=<>&|\\\x00-\x1f\x7f]+")
_BARE_KEY = re.compile(r"[\w.\-/]+")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def format_rule(rule: Rule) -> str:
    """The text that ``parse`` makes an equal rule of.

    It may be longer than the rule as written, since resources are spelled out; a rule at the very
    limit of its size can so have a text that is over it.
    """
    match rule:
        case Always():
            return "*"
        case Atom():
            return _atom(rule)
        case And(parts):
            return " and ".join(_inside(part, Or) for part in parts)
        case Or(parts):
            return " or ".join(_inside(part) for part in parts)
        case Not(part):
            return f"not {_inside(part, And, Or)}"
        case _:
            assert_never(rule)


def _inside(rule: Rule, *looser: type[And] | type[Or]) -> str:
    text = format_rule(rule)
    return f"({text})" if isinstance(rule, looser) else text


def _atom(atom: Atom) -> str:
    values = ", ".join(value(each) for each in atom.values)
    if atom.operator.takes_list:
        values = f"({values})"
    return f"{name(atom.field, atom.label)} {atom.operator} {values}"


def name(field: Field, label: str) -> str:
    """A field as it is written: ``severity``, ``labels.env``, ``labels."a key"``."""
    if field is not Field.LABEL:
        return field.value
    return f"labels.{label if _BARE_KEY.fullmatch(label) else quote(label)}"


def value(text: str) -> str:
    """``text`` bare where that reads back as the same value, else quoted."""
    bare = _BARE.fullmatch(text) is not None and text.lower() not in RESERVED
    return text if bare else quote(text)


def quote(text: str) -> str:
    """``text`` in double quotes."""
    return f'"{text.translate(_ESCAPES)}"'
