"""From a place where the grammar cannot go on to an error that says what was probably meant."""

from __future__ import annotations

import re
from typing import Final, assert_never

from ibs_notify.rules import format as canonical
from ibs_notify.rules.ast import Field, Operator
from ibs_notify.rules.errors import RuleError, position_of, shown
from ibs_notify.rules.reader import Expecting, Reader
from ibs_notify.rules.vocabulary import RESERVED, SEVERITY_WORDS, closest, is_field

WORD: Final = re.compile(r"&+|\|+|[=<>!~]+(?=[\s\w\"'(]|$)|[^\s\"'“”‘’(),=<>&|\\]+|.", re.DOTALL)
_OPERAND_END = re.compile(r"\s+(?:and|or|not)\b|\s*[()]|\s*&&|\s*\|\||\s*\Z", re.IGNORECASE)
_OPERATOR = re.compile(r"\s+(?:!?=|[<>]|(?:in|not-in|starts-with|under)\b)", re.IGNORECASE)
_TYPOGRAPHIC = "“”‘’"


def unexpected(reader: Reader, offset: int) -> RuleError:
    """The error for what stands at ``offset``, or for the end of the text."""
    text = reader.text
    offset = min(offset, len(text.rstrip()))
    found = WORD.match(text.rstrip(), offset)
    word = found[0] if found else ""
    if word in {'"', "'"} and reader.expecting in _VALUES:
        return _unterminated(reader, offset)
    if word and word in _TYPOGRAPHIC:
        return RuleError(
            position_of(text, offset),
            f"the typographic quote {shown(word)} is no quote here",
            expected=reader.expecting,
            suggestion='"' if word in "“”" else "'",
        )
    match reader.expecting:
        case Expecting.CONDITION:
            return _no_condition(reader, offset, word)
        case Expecting.OPERATOR:
            return _no_operator(reader, offset, word)
        case Expecting.VALUE | Expecting.LIST | Expecting.LIST_VALUE:
            return _no_value(reader, offset, word)
        case Expecting.COMMA:
            return _no_comma(reader, offset, word)
        case Expecting.CONNECTIVE:
            return _no_connective(reader, offset, word)
        case _:
            assert_never(reader.expecting)


_VALUES = (Expecting.VALUE, Expecting.LIST, Expecting.LIST_VALUE)


def _found(word: str) -> str:
    return f"found {shown(word)}" if word else "the rule ends here"


def _unterminated(reader: Reader, offset: int) -> RuleError:
    quote = reader.text[offset]
    return RuleError(
        position_of(reader.text, offset),
        f"the quote {shown(quote)} is never closed",
        expected=f"a closing {shown(quote)}",
        suggestion=reader.text[offset:].rstrip("\\") + quote,
    )


def _no_condition(reader: Reader, offset: int, word: str) -> RuleError:
    suggestion = advice = ""
    if word.startswith("!"):
        suggestion = "not"
    elif word in {'"', "'"}:
        advice = "a rule begins with a field, which has no quotes: severity = error"
    elif word == ")" and reader.previous == "(":
        advice = "write a condition between the parentheses, or `*` for every event"
    elif not word and reader.previous:
        advice = f"write a condition after {shown(reader.previous)}, or remove it"
    problem = f"a condition is missing: {_found(word)}"
    return _at(reader, offset, problem, suggestion, advice)


def _no_operator(reader: Reader, offset: int, word: str) -> RuleError:
    suggestion = ""
    if word == "(":
        suggestion = f"{reader.name} in {reader.parenthesised(offset)}"
    elif word in {'"', "'"}:
        suggestion = f"{reader.name} = {_rest(reader.text, offset)}"
    elif not word:
        severity = reader.field is Field.SEVERITY
        suggestion = f"{reader.name} >= error" if severity else f"{reader.name} = …"
    problem = f"{shown(reader.name)} has no operator: {_found(word)}"
    return _at(reader, offset, problem, suggestion)


def _no_value(reader: Reader, offset: int, word: str) -> RuleError:
    suggestion = advice = ""
    if word == ")" and reader.previous == "(":
        advice = "an empty list matches nothing: name at least one value"
    elif word in {")", ","}:
        advice = "remove the comma that is too many" if reader.previous == "," else ""
    elif word and word[0] in "=<>!~" and f"{reader.operator}{word}" in ("==", "!==", ">==", "<=="):
        suggestion = reader.operator.value
        advice = f"write {shown(suggestion)} once"
    elif word:
        suggestion = canonical.quote(_rest(reader.text, offset))
        advice = f"quote the value: {shown(suggestion)}"
    elif reader.field is Field.SEVERITY:
        value = "(error, critical)" if reader.operator.takes_list else "error"
        suggestion = f"{reader.name} {reader.operator} {value}"
    elif not reader.operator.takes_list:
        advice = 'to compare with nothing, write ""'
    problem = f"a value is missing after {shown(reader.previous)}: {_found(word)}"
    return _at(reader, offset, problem, suggestion, advice)


def _no_comma(reader: Reader, offset: int, word: str) -> RuleError:
    if not word or word.lower() in RESERVED or word[0] in "&|(=<>!":
        return _at(reader, offset, f"{reader.unclosed} is never closed: {_found(word)}", ")")
    several = f"{reader.previous}, {word}"
    return _at(reader, offset, f"the list has no comma before {shown(word)}", several)


def _no_connective(reader: Reader, offset: int, word: str) -> RuleError:
    text, lowered = reader.text, word.lower()
    if not word:
        return RuleError(
            position_of(text, offset),
            f"{reader.unclosed} is never closed",
            expected="`)`, `and` or `or`",
            suggestion=")",
        )
    after = text[offset + len(word) :]
    if word in {"&&", "||"} or (word in {"&", "|"} and begins_condition(after.lstrip())):
        meant = "and" if word[0] == "&" else "or"
        return _at(reader, offset, f"{shown(word)} is not a word of the language", meant)
    if lowered in {"also", "plus", "but"}:
        return _at(reader, offset, f"unknown word {shown(word)}", "and")
    if word[0] == "*" == reader.previous:
        return _at(reader, offset, "`*` stands twice", "*")
    if begins_condition(text[offset:]):
        advice = "join the two conditions with `and` or `or`"
        problem = f"`and` or `or` is missing before {shown(word)}"
        return _at(reader, offset, problem, f"and {word}", advice)
    meant = "" if lowered == "xor" else closest(lowered, ("and", "or"))
    if meant and after.strip():
        return _at(reader, offset, f"unknown word {shown(word)}", meant)
    if reader.value_start < 0:
        return _at(reader, offset, f"{_found(word)} after {shown(reader.previous)}")
    return _more_than_one_value(reader, offset, word)


def begins_condition(text: str) -> bool:
    """Whether a condition stands at the beginning of ``text``, right or nearly so."""
    word = WORD.match(text)
    if word is None:
        return False
    known = is_field(word[0].partition(":")[0]) or word[0].lower() in {"not", "(", "*"}
    return known or _OPERATOR.match(text, word.end()) is not None


def _more_than_one_value(reader: Reader, offset: int, word: str) -> RuleError:
    whole = _rest(reader.text, reader.value_start)
    several = re.split(r"[\s,]+", whole)
    severities = all(each.lower() in SEVERITY_WORDS for each in several if each)
    takes_several = reader.operator in (Operator.EQ, Operator.NE)
    if (word == "," and takes_several) or (reader.field is Field.SEVERITY and severities):
        negative = reader.operator is Operator.NE
        listed = ", ".join(each for each in several if each)
        suggestion = f"{reader.name} {'not-in' if negative else 'in'} ({listed})"
        problem = f"{_found(word)} after the value {shown(reader.previous)}"
        return _at(reader, offset, problem, suggestion)
    suggestion = canonical.quote(whole)
    problem = f"{_found(word)} after the value {shown(reader.previous)}"
    return _at(reader, offset, problem, suggestion, f"quote the value: {shown(suggestion)}")


def _rest(text: str, start: int) -> str:
    """What was probably meant as one value: up to the next ``and``, ``or``, parenthesis or end."""
    end = _OPERAND_END.search(text, start)
    return text[start : end.start() if end else len(text)].replace('"', "").strip()


def _at(
    reader: Reader, offset: int, problem: str, suggestion: str = "", advice: str = ""
) -> RuleError:
    return RuleError(
        position_of(reader.text, offset),
        problem,
        expected=reader.expecting.value,
        suggestion=suggestion,
        advice=advice,
    )
