"""A text that is looked for in others, in any case: the same wherever lists are searched."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from ibs_notify.domain.errors import FieldViolation, InvalidArgument

MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: what was looked for, or what stands around it."""

    text: str
    is_found: bool = False


def check_sought(sought: str, path: str = "text") -> None:
    """``InvalidArgument`` of the field ``path`` where the text is too long to look for."""
    if len(sought) > MOST_CHARACTERS:
        fault = f"has over {MOST_CHARACTERS} characters"
        raise InvalidArgument.of([FieldViolation(path, fault)])


def contains(text: str, sought: str) -> bool:
    """Whether ``text`` has ``sought`` in it; case aside, each character stands for itself."""
    return sought.casefold() in text.casefold()


def pieces(text: str, sought: str) -> list[Piece]:
    """``text``, cut where ``sought`` begins and ends; together the pieces are the text again."""
    wanted = sought.casefold()
    if not wanted:
        return [Piece(text)] if text else []
    # Folding may make one character two, so the places are counted in what it was folded from.
    folded = [each.casefold() for each in text]
    ends = list(accumulate(map(len, folded)))
    origin = [place for place, each in enumerate(folded) for _ in each]
    whole, found, shown, start = "".join(folded), [], 0, 0
    while (start := whole.find(wanted, start)) >= 0:
        first, last = max(origin[start], shown), origin[start + len(wanted) - 1] + 1
        if first > shown:
            found.append(Piece(text[shown:first]))
        if last > first:
            found.append(Piece(text[first:last], is_found=True))
        shown = max(shown, last)
        start = ends[last - 1]
    if shown < len(text):
        found.append(Piece(text[shown:]))
    return found
