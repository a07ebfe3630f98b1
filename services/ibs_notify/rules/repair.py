"""The whole rule with the likeliest fix: an error's suggestion, put where it makes a rule of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ibs_notify.rules.diagnose import WORD
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.parse import Reading, is_too_long, parse, read
from ibs_notify.rules.reader import Expecting
from ibs_notify.rules.vocabulary import TWO_WORDS

MOST_FAULTS: Final = 6
"""More than so many, and nobody knows what was meant."""
READ_LIMIT: Final = 10_000
"""Characters that are read in search of a fix, so that an answer comes while somebody types."""

_OPERAND_END = re.compile(r"\s+(?:and|or|not)\b|\s*\)|\s*&&|\s*\|\||\s*\Z", re.IGNORECASE)
_STRAIGHT = str.maketrans("“”‘’", "\"\"''")
_PLACEHOLDERS = ("KEY", "… ")


def repaired(text: str, error: RuleError) -> str:
    """A rule that parses, or an empty text. Several faults are mended one after the other."""
    if is_too_long(text):
        return ""
    left = READ_LIMIT
    for _ in range(MOST_FAULTS):
        for candidate, behind in _candidates(text, error):
            left -= len(candidate)
            if left < 0 or is_too_long(candidate):
                return ""
            found = _fault(candidate)
            if found is None:
                return candidate
            if found.offset_in(candidate) >= behind:
                text, error = candidate, found
                break
        else:
            return ""
    return ""


def _fault(text: str) -> RuleError | None:
    try:
        parse(text)
    except RuleError as error:
        return error
    return None


def _candidates(text: str, error: RuleError) -> Iterator[tuple[str, int]]:
    """``text`` with the suggestion in it, at each place that it may be meant for.

    The number is where the next fault may be, for this one to be mended.
    """
    offset, meant = error.offset_in(text), error.suggestion
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
        yield text[:offset] + meant, len(text) + 1  # a quote that was never closed
    meant = meant.removesuffix("…").rstrip()
    for start, end in _spans(read(text), offset, error.suggestion):
        candidate = _replace(text, start, end, meant)
        yield candidate, start + len(meant)


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
