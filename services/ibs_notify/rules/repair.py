"""The whole rule with the likeliest fix: an error's suggestion, put where it makes a rule of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ibs_notify.rules.diagnose import WORD, begins_condition
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.idioms import is_regular_expression, sayings
from ibs_notify.rules.parse import Reading, finish, is_too_long, read
from ibs_notify.rules.reader import Expecting
from ibs_notify.rules.vocabulary import TWO_WORDS

MOST_FAULTS: Final = 6
"""More than so many, and nobody knows what was meant."""
READ_LIMIT: Final = 2_000
"""Words that are read in search of a fix, so that an answer comes while somebody types."""

_A_WORD = re.compile(r"[\w.\-/]+|[^\w\s]")
_OPERAND_END = re.compile(r"\s+(?:and|or|not)\b|\s*\)|\s*&&|\s*\|\||\s*\Z", re.IGNORECASE)
_STRAIGHT = str.maketrans("“”‘’", "\"\"''")
_PARENTHESES = str.maketrans("[]{}", "()()")
_JOINT = re.compile(r"\s+(?:and|or)\s+(?:not\s+)?", re.IGNORECASE)
_PLACEHOLDERS = ("KEY", "… ")


def repaired(reading: Reading, error: RuleError) -> str:
    """A rule that parses, or an empty text. Several faults are mended one after the other."""
    left = READ_LIMIT // len(_A_WORD.findall(reading.reader.text))
    for _ in range(MOST_FAULTS):
        for candidate, behind in _candidates(reading, error):
            left -= 1
            if left < 0 or is_too_long(candidate):
                return ""
            tried = read(candidate)
            found = _fault(tried)
            if found is None:
                return candidate
            if found.offset_in(candidate) >= behind:
                reading, error = tried, found
                break
        else:
            return ""
    return ""


def _fault(reading: Reading) -> RuleError | None:
    try:
        finish(reading)
    except RuleError as error:
        return error
    return None


def _candidates(reading: Reading, error: RuleError) -> Iterator[tuple[str, int]]:
    """The text with the suggestion in it, at each place that it may be meant for.

    The number is where the next fault may be, for this one to be mended.
    """
    text, meant = reading.reader.text, error.suggestion
    offset = error.offset_in(text)
    if is_regular_expression(text, offset):
        return  # taken for a glob it would say something else
    yield from sayings(text, offset)
    yield from _once_more(reading, offset)
    if text[offset : offset + 1] == ")" and not reading.reader.opened:
        yield text[:offset].rstrip() + text[offset + 1 :], offset
    if text[offset : offset + 1] in ("[", "{"):
        yield text.translate(_PARENTHESES), offset + 1
    if not meant or any(each in meant for each in _PLACEHOLDERS):
        return
    if meant in ('"', "'"):
        yield text.translate(_STRAIGHT), offset
        return
    if meant == ")":
        before, rest = text[:offset].rstrip(), text[offset:].lstrip()
        yield f"{before}){rest and ' '}{rest}", len(before) + 1
        return
    if meant.startswith("\\\\"):
        at = text.find(meant[1:], offset)
        yield text[:at] + "\\" + text[at:], offset
        return
    if meant[0] == text[offset : offset + 1]:
        yield from _closed(text, offset)
        yield text[:offset] + meant, len(text) + 1  # a quote that was never closed
    meant = meant.removesuffix("…").rstrip()
    for start, end in _spans(reading, offset, error.suggestion):
        candidate = _replace(text, start, end, meant)
        yield candidate, start + len(meant)


def _once_more(reading: Reading, offset: int) -> Iterator[tuple[str, int]]:
    """``actor = bob or alice``: a value where a condition stands is compared as the one before."""
    tokens, text = reading.tokens, reading.reader.text
    word = WORD.match(text, offset)
    named = [each for each in tokens if each.type in ("FIELD", "OPERATOR")][-2:]
    is_joined = bool(tokens) and tokens[-1].type in ("_AND", "_OR", "_LPAR")
    if (
        word is None
        or len(named) < 2
        or not is_joined
        or _end_of_operand(text, offset) > word.end()
    ):
        return
    if named[1].lower() not in ("in", "not-in"):
        said = f"{named[0]} {named[1]} {word[0]}"
        yield text[:offset] + said + text[word.end() :], offset + len(said)


def _closed(text: str, offset: int) -> Iterator[tuple[str, int]]:
    """A quote closed where the next condition begins."""
    for joint in _JOINT.finditer(text, offset):
        if begins_condition(text[joint.end() :]):
            yield text[: joint.start()] + text[offset] + text[joint.start() :], joint.start() + 1
            return


def _spans(reading: Reading, offset: int, meant: str) -> Iterator[tuple[int, int]]:
    """What the suggestion may stand for: the word; from the condition's field on; or nothing."""
    text, tokens = reading.reader.text, reading.tokens
    before = [each.start_pos or 0 for each in tokens if (each.start_pos or 0) < offset]
    fields = [each.start_pos or 0 for each in tokens if each.type == "FIELD"]
    values = [each.start_pos or 0 for each in tokens if each.type in ("VALUE", "STRING")]
    word = WORD.match(text, offset)
    word_end = word.end() if word else offset
    two = TWO_WORDS.match(text, word_end)
    operand_end = _end_of_operand(text, offset)
    in_condition = reading.reader.expecting is not Expecting.CONDITION
    if fields and in_condition and meant.startswith(reading.reader.name):
        # The suggestion says the condition again.
        if meant.endswith("…"):
            operand_end = word_end
        elif text[offset : offset + 1] == "(":
            operand_end = text.find(")", offset) + 1 or len(text)
        yield fields[-1], operand_end
    if two:
        yield offset, two.end()
    yield offset, word_end
    yield offset, operand_end
    yield from ((start, operand_end) for start in values[-1:])
    yield from ((start, word_end) for start in before[-1:])
    yield offset, offset


def _end_of_operand(text: str, start: int) -> int:
    end = _OPERAND_END.search(text, start)
    return end.start() if end else len(text)


def _replace(text: str, start: int, end: int, by: str) -> str:
    """Words are kept apart from what is beside them."""
    before = " " if _is_word(by[:1]) and start and text[start - 1] not in " \t\n(" else ""
    after = (
        " " if _is_word(by[-1:]) and text[end : end + 1] not in ("", " ", "\n", ")", ",") else ""
    )
    return f"{text[:start]}{before}{by}{after}{text[end:]}"


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "=<>!"
