"""Globs: ``*`` any text, ``?`` one character, ``[a-z]`` or ``[!a-z]`` one of a class.

Whole text, case-sensitive. A pattern is cut at its stars into segments of fixed length; the first
and the last are anchored, each in between is searched for once, leftmost, which is enough because
nothing but stars can stretch. Time is linear in the text for literal segments, and bounded by
text × ``SEGMENT_LIMIT`` for those with ``?`` or a class, whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SEGMENT_LIMIT = 40
"""Characters that a segment between two stars may have when it holds ``?`` or a class."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """``length`` characters; a literal unless ``pattern`` says otherwise."""

    length: int
    literal: str
    pattern: re.Pattern[str] | None

    def at(self, text: str, start: int) -> bool:
        if self.pattern is None:
            return text.startswith(self.literal, start)
        return self.pattern.match(text, start) is not None

    def find(self, text: str, start: int, end: int) -> int:
        if self.pattern is None:
            return text.find(self.literal, start, end)
        found = self.pattern.search(text, start, end)
        return -1 if found is None else found.start()


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """The predicate of ``pattern``; ``ValueError`` says what is wrong with it."""
    pieces = _split_at_stars(pattern)
    first, last = _segment(pieces[0]), _segment(pieces[-1])
    if len(pieces) == 1:
        return lambda text: len(text) == first.length and first.at(text, 0)
    middle = tuple(_segment(each) for each in pieces[1:-1] if each)
    for each in middle:
        if each.pattern is not None and each.length > SEGMENT_LIMIT:
            raise ValueError(
                f"more than {SEGMENT_LIMIT} characters with `?` or `[…]` among them between two `*`"
            )
    shortest = first.length + last.length

    def holds(text: str) -> bool:
        start, end = first.length, len(text) - last.length
        if len(text) < shortest or not first.at(text, 0) or not last.at(text, end):
            return False
        for segment in middle:
            start = segment.find(text, start, end)
            if start < 0:
                return False
            start += segment.length
        return True

    return holds


@dataclass(frozen=True, slots=True)
class RequiredTexts:
    """Texts without which a glob does not match; ``whole`` is all of it, ``inside`` anywhere.

    ``enough``: whatever has them matches.
    """

    whole: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    enough: bool = False


def required_texts(pattern: str) -> RequiredTexts:
    """The literal texts of ``pattern``, by where they must stand; ``ValueError`` as above."""
    pieces = [_literal_runs(each) for each in _split_at_stars(pattern)]
    if len(pieces) == 1 and len(pieces[0]) == 1:
        return RequiredTexts(whole=(pieces[0][0],), enough=True)
    start, end = pieces[0][0], pieces[-1][-1]
    inner = [run for piece in pieces for run in piece]
    inside = tuple(filter(None, inner[1:-1]))
    return RequiredTexts(
        start=(start,) if start else (),
        end=(end,) if end else (),
        inside=inside,
        enough=all(len(each) == 1 for each in pieces) and sum(map(bool, inner)) <= 1,
    )


def _literal_runs(elements: list[str]) -> list[str]:
    """The texts between the elements that are none; one text, perhaps empty, where all are."""
    runs = [""]
    for element in elements:
        if element == "?" or len(element) > 1:
            runs.append("")
        else:
            runs[-1] += element
    return runs


def _split_at_stars(pattern: str) -> list[list[str]]:
    """The one-character elements of each segment: ``a*?[bc]`` gives ``[[a], [?, [bc]]]``."""
    pieces: list[list[str]] = [[]]
    for element in _elements(pattern):
        if element == "*":
            pieces.append([])
        else:
            pieces[-1].append(element)
    return pieces


def _elements(pattern: str) -> Iterator[str]:
    offset = 0
    while offset < len(pattern):
        end = offset + 1
        if pattern[offset] == "[":
            # A `]` that comes first stands for itself, as in every shell.
            body = offset + (2 if pattern.startswith("[!", offset) else 1)
            close = pattern.find("]", body + 1)
            if close < 0:
                raise ValueError("`[` without `]`; for the character itself write `[[]`")
            end = close + 1
        yield pattern[offset:end]
        offset = end


def _segment(elements: list[str]) -> _Segment:
    text = "".join(elements)
    if not any(each == "?" or len(each) > 1 for each in elements):
        return _Segment(len(elements), text, None)
    source = "".join(_regex(each) for each in elements)
    return _Segment(len(elements), text, re.compile(source, re.DOTALL))


def _regex(element: str) -> str:
    if element == "?":
        return "."
    if len(element) == 1:
        return re.escape(element)
    body = element[1:-1]
    negated = body.startswith("!")
    body = body[negated:]
    ranges: list[str] = []
    while body:
        low, high = body[0], body[0]
        body = body[1:]
        if len(body) > 1 and body[0] == "-":
            high, body = body[1], body[2:]
        if low > high:
            raise ValueError(f"the range `{low}-{high}` is empty")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^' if negated else ''}{''.join(ranges)}]"
