"""From a value as written to the value that is compared."""

from __future__ import annotations

import re

from ibs_notify.domain.resource import canonical
from ibs_notify.rules.ast import Field, Operator, Position
from ibs_notify.rules.errors import RuleError, shown
from ibs_notify.rules.glob import compile_glob
from ibs_notify.rules.vocabulary import RESERVED, severity_of

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANING = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_AS_WRITTEN = (Operator.CONTAINS, Operator.ENDS_WITH)


def unquote(quoted: str, at: Position) -> str:
    r"""The text of a quoted one: ``\\ \" \' \n \r \t``; any other escape is a ``RuleError``."""

    def meaning(escape: re.Match[str]) -> str:
        if escape[1] in _MEANING:
            return _MEANING[escape[1]]
        raise RuleError(
            at,
            f"unknown escape {shown(escape[0])} in {shown(quoted)}",
            expected=r"one of \\, \", \', \n, \r, \t",
            suggestion=f"\\{escape[0]}",
            advice=f"write \\{escape[0]} for a backslash",
        )

    return _ESCAPE.sub(meaning, quoted[1:-1])


def bare(word: str, at: Position) -> str:
    """A value without quotes; ``RuleError`` where it is a word of the language."""
    if word.lower() in RESERVED:
        raise RuleError(
            at,
            f"a value is missing before {shown(word)}",
            expected="a value",
            suggestion=f'"{word}"',
            advice=f'if the value is the word itself, quote it: "{word}"',
        )
    return word


def compared(field: Field, operator: Operator, text: str, at: Position) -> str:
    """What is compared for ``text``: severities lower-case, resources canonical, globs checked."""
    if field is Field.SEVERITY:
        return severity_of(text, at)
    if field is Field.RESOURCE and operator not in _AS_WRITTEN:
        text = _resource(operator, text, at)
    if operator is Operator.MATCHES:
        try:
            compile_glob(text)
        except ValueError as error:
            raise RuleError(at, f"the glob {shown(text)} has {error}") from error
    return text


def _resource(operator: Operator, text: str, at: Position) -> str:
    path = canonical(text)
    if operator is Operator.STARTS_WITH:
        # A literal prefix: `vm/` is not to match `vm-old`, so its slash means something.
        named = path != text and text.endswith(":")
        slash = named or text.endswith("/")
        return path + "/" if slash and not path.endswith("/") else path
    if operator is Operator.UNDER and not path.startswith("/"):
        raise RuleError(
            at,
            f"{shown(text)} is no path",
            expected="`/datastore/NAME/rest` or `NAME:rest`",
            suggestion=f"/datastore/{text}" if text else "/",
        )
    return path
