"""Many texts held against one value at once: which of them does it begin with, or contain?"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

_GRAM = 4
"""Characters of the piece by which a text is looked up."""
_FEW = 32
"""So many texts are found faster one by one than by their pieces."""
_RUN = 2048
"""So many texts are sorted without a pause."""


class Whole(Generic[T]):
    """What stands for the text that a value is."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, T]) -> None:
        self._texts = texts

    def find(self, value: str) -> tuple[T, ...]:
        """The one of ``value``, if any."""
        found = self._texts.get(value)
        return () if found is None else (found,)


class Paths(Generic[T]):
    """What stands for each path that a value lies under, by whole segments: a look at each slash.

    ``below`` leaves out the path itself.
    """

    __slots__ = ("_below", "_shortest", "_under")

    def __init__(self, under: Mapping[str, T], below: Mapping[str, T]) -> None:
        self._under = under
        self._below = below
        self._shortest = min(map(len, (*under, *below)))

    def find(self, value: str) -> list[T]:
        """One of each path that ``value`` lies under."""
        under, below, found = self._under.get, self._below.get, []
        slash = value.find("/", self._shortest)
        while slash >= 0:
            path = value[:slash]
            if (posting := under(path)) is not None:
                found.append(posting)
            if (posting := below(path)) is not None:
                found.append(posting)
            slash = value.find("/", slash + 1)
        if (posting := under(value)) is not None:
            found.append(posting)
        return found


class Prefixes(Generic[T]):
    """What stands for each text that a value begins with: a search and a short walk."""

    __slots__ = ("_parents", "_texts", "_values")

    def __init__(self, texts: Mapping[str, T]) -> None:
        self._texts = _in_order(texts)
        self._values = [texts[text] for text in self._texts]
        self._parents = array("l", _parents(self._texts))

    def find(self, value: str) -> list[T]:
        """One of each text that ``value`` begins with."""
        texts, parents, found = self._texts, self._parents, []
        # The longest such text is the closest smaller one, or begins it.
        at = bisect_right(texts, value) - 1
        while at >= 0 and not value.startswith(texts[at]):
            at = parents[at]
        while at >= 0:
            found.append(self._values[at])
            at = parents[at]
        return found


def _in_order(texts: Iterable[str]) -> list[str]:
    """Sorted. In runs first, because one sort of very many would let no other thread run."""
    unsorted = list(texts)
    runs: list[str] = []
    for start in range(0, len(unsorted), _RUN):
        runs += sorted(unsorted[start : start + _RUN])
    runs.sort()
    return runs


def _parents(texts: list[str]) -> Iterator[int]:
    """For each of the sorted ``texts`` the place of the longest other that begins it, or -1."""
    open_places: list[int] = []
    for place, text in enumerate(texts):
        while open_places and not text.startswith(texts[open_places[-1]]):
            open_places.pop()
        yield open_places[-1] if open_places else -1
        open_places.append(place)


class Suffixes(Generic[T]):
    """What stands for each text that a value ends with."""

    __slots__ = ("_reversed",)

    def __init__(self, texts: Mapping[str, T]) -> None:
        self._reversed = Prefixes({text[::-1]: each for text, each in texts.items()})

    def find(self, value: str) -> list[T]:
        """One of each text that ``value`` ends with."""
        return self._reversed.find(value[::-1])


class Parts(Generic[T]):
    """What stands for each text that a value contains.

    Many texts are looked up by a piece of theirs that few others share, so that a value costs its
    own length and not their number.
    """

    __slots__ = ("_by_piece", "_singly")

    def __init__(self, texts: Mapping[str, T]) -> None:
        singly = [text for text in texts if len(text) < _GRAM or len(texts) <= _FEW]
        self._singly = [(text, texts[text]) for text in singly]
        self._by_piece: dict[str, list[tuple[str, T]]] = {}
        if len(texts) > _FEW:
            shared = Counter(piece for text in texts for piece in _pieces(text))
            for text, each in texts.items():
                if len(text) >= _GRAM:
                    rarest = min(_pieces(text), key=lambda piece: (shared[piece], piece))
                    self._by_piece.setdefault(rarest, []).append((text, each))

    def find(self, value: str) -> list[T]:
        """One of each text that ``value`` contains."""
        found = [each for text, each in self._singly if text in value]
        if self._by_piece:
            for piece in self._by_piece.keys() & _pieces(value):
                found += [each for text, each in self._by_piece[piece] if text in value]
        return found


def _pieces(text: str) -> set[str]:
    return {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}
