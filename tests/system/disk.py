"""A disk whose power is cut: what was synced stays, of the rest any part may be there.

Stricter than most: a file's name too is safe only once its directory was synced.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

SECTOR = 512
"""Bytes that a disk writes wholly or not at all."""


@dataclass(frozen=True, slots=True)
class Write:
    """``data`` at ``offset``; ``file`` is a number that no other file ever has."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Unname:
    name: str


Change = Write | Resize | Name | Unname


class Fate(StrEnum):
    """What becomes of changes that were not synced."""

    LOST = "lost"
    """None of them is there."""
    FIRST_KEPT = "first kept"
    """The first few are there."""
    ANY_KEPT = "any kept"
    """Some are there, whichever, later ones without earlier ones."""
    TORN = "torn"
    """The first few are there, and of the next write only its first sectors."""


@dataclass(slots=True)
class Disk:
    """Changes are told in the order in which they were made."""

    _files: dict[int, bytearray] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)
    _unsynced: list[tuple[int, Change]] = field(default_factory=list)

    @property
    def has_unsynced(self) -> bool:
        return bool(self._unsynced)

    def change(self, change: Change, moment: int) -> None:
        """A change whose call returned at ``moment``."""
        self._unsynced.append((moment, change))

    def sync(self, file: int | None, begun: int) -> bool:
        """A file, or the names for ``None``, is safe as it was when the sync began.

        Whether that changed anything.
        """
        kept: list[tuple[int, Change]] = []
        before = len(self._unsynced)
        for moment, change in self._unsynced:
            if moment < begun and _belongs(change, file):
                _apply(self._files, self._names, change)
            else:
                kept.append((moment, change))
        self._unsynced = kept
        return len(kept) < before

    def after_cut(self, fate: Fate, chance: random.Random) -> Mapping[str, bytes]:
        """The files by name that are there when the power is back."""
        files = {file: bytearray(data) for file, data in self._files.items()}
        names = dict(self._names)
        for change in _survivors([change for _, change in self._unsynced], fate, chance):
            _apply(files, names, change)
        return {name: bytes(files.get(file, b"")) for name, file in names.items()}


def _belongs(change: Change, file: int | None) -> bool:
    match change:
        case Write() | Resize():
            return change.file == file
        case Name() | Unname():
            return file is None
        case _:
            assert_never(change)


def _apply(files: dict[int, bytearray], names: dict[str, int], change: Change) -> None:
    match change:
        case Write():
            data = files.setdefault(change.file, bytearray())
            data.extend(bytes(max(0, change.offset - len(data))))
            data[change.offset : change.offset + len(change.data)] = change.data
        case Resize():
            data = files.setdefault(change.file, bytearray())
            data.extend(bytes(max(0, change.size - len(data))))
            del data[change.size :]
        case Name():
            names[change.name] = change.file
        case Unname():
            names.pop(change.name, None)
        case _:
            assert_never(change)


def _survivors(changes: Sequence[Change], fate: Fate, chance: random.Random) -> Sequence[Change]:
    match fate:
        case Fate.LOST:
            return ()
        case Fate.FIRST_KEPT:
            return changes[: chance.randint(0, len(changes))]
        case Fate.ANY_KEPT:
            return [each for each in changes if chance.random() < 0.5]
        case Fate.TORN:
            return _torn(changes, chance)
        case _:
            assert_never(fate)


def _torn(changes: Sequence[Change], chance: random.Random) -> Sequence[Change]:
    """Where no write crosses a sector's end there is nothing to tear: the first few are kept."""
    tearable = [place for place, each in enumerate(changes) if _tears(each)]
    if not tearable:
        return _survivors(changes, Fate.FIRST_KEPT, chance)
    place = chance.choice(tearable)
    write = changes[place]
    assert isinstance(write, Write)
    piece = write.data[: chance.choice(_tears(write)) - write.offset]
    return [*changes[:place], Write(write.file, write.offset, piece)]


def _tears(change: Change) -> Sequence[int]:
    """Where in the file a write may end instead: at every end of a sector within it."""
    if not isinstance(change, Write):
        return ()
    first = (change.offset // SECTOR + 1) * SECTOR
    return range(first, change.offset + len(change.data), SECTOR)
