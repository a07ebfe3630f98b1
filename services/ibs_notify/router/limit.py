"""A group's rate limit: no more releases in any 60 seconds, exactly, across restarts. Pure.

What was released in the last minute is kept with the group and changed in the transaction that
releases; a bucket that refills would let almost twice the limit through in its first minute.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PERIOD_MICROS: Final = 60_000_000
MOST_RUNS: Final = 600
"""Beyond this many, the releases of one grain count as made at the last moment among them."""
_GRAIN_MICROS: Final = PERIOD_MICROS // MOST_RUNS
_FORMAT: Final = 1


class LimitReason(StrEnum):
    """Why so many may be released now."""

    UNLIMITED = "UNLIMITED"
    WITHIN_LIMIT = "WITHIN_LIMIT"
    LIMIT_REACHED = "LIMIT_REACHED"


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` releases at one moment, in microseconds."""

    at: int
    count: int


Past = tuple[Run, ...]
"""What was released in the last minute, oldest first; the moments differ."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """``count`` may be released now; where it is 0, the next one may at ``next_at``.

    ``past`` is what still counts. Where the clock ``went_back`` it is to be stored even if nothing
    is released: the minute that is waited for begins at the moment this was noticed.
    """

    reason: LimitReason
    count: int
    next_at: int | None
    past: Past
    went_back: bool


def allowance(past: Past, limit: int, now: int) -> Allowance:
    """What ``limit`` releases in any 60 seconds leave at ``now``; a ``limit`` of 0 is none.

    A minute is ``(now - 60 s, now]``. What was released in the future counts as released now, so
    that a clock that went back holds a group up for 60 seconds at most.
    """
    recent = _current(past, now)
    back = bool(past) and past[-1].at > now
    if limit <= 0:
        return Allowance(LimitReason.UNLIMITED, sys.maxsize, None, recent, back)
    over = sum(each.count for each in recent) - limit
    if over < 0:
        return Allowance(LimitReason.WITHIN_LIMIT, -over, None, recent, back)
    return Allowance(LimitReason.LIMIT_REACHED, 0, _expiry_of(recent, over + 1), recent, back)


def record(past: Past, count: int, now: int) -> Past:
    """What counts after ``count`` more releases at ``now``.

    It holds for whatever limit there will be: a lower one finds all that it must count, a higher
    one no more than there was. Up to ``MOST_RUNS`` moments are kept as they are; with more of them
    a release may count for a tenth of a second too long, never too short.
    """
    if count <= 0:
        return _current(past, now)
    return _bounded(_merged((*_current(past, now), Run(now, count))))


def to_bytes(past: Past) -> bytes:
    """As it is stored: some 4 bytes for each run."""
    if not past:
        return b""
    packed, last = bytearray([_FORMAT]), 0
    for run in past:
        for number in (run.at - last, run.count):
            packed += _varint(number)
        last = run.at
    return bytes(packed)


def from_bytes(stored: bytes) -> Past:
    """What ``to_bytes`` stored; ``ValueError`` where it did not."""
    if not stored:
        return ()
    if stored[0] != _FORMAT:
        raise ValueError(f"releases in the unknown format {stored[0]}")
    numbers = list(_varints(stored[1:]))
    if len(numbers) % 2:
        raise ValueError("releases that end in the middle")
    runs, at = [], 0
    for step, count in zip(numbers[::2], numbers[1::2], strict=True):
        at += step
        runs.append(Run(at, count))
    return tuple(runs)


def _current(past: Past, now: int) -> Past:
    """What is not older than a minute, with what lies in the future at ``now``."""
    if past and past[-1].at > now:
        past = _merged([Run(min(each.at, now), each.count) for each in past])
    begin = now - PERIOD_MICROS
    if past and past[0].at <= begin:
        past = tuple(each for each in past if each.at > begin)
    return past


def _merged(runs: Sequence[Run]) -> Past:
    merged: list[Run] = []
    for run in runs:
        if merged and merged[-1].at == run.at:
            merged[-1] = Run(run.at, merged[-1].count + run.count)
        else:
            merged.append(run)
    return tuple(merged)


def _bounded(past: Past) -> Past:
    if len(past) <= MOST_RUNS:
        return past
    grains: dict[int, Run] = {}
    for run in past:
        former = grains.get(run.at // _GRAIN_MICROS)
        grains[run.at // _GRAIN_MICROS] = Run(run.at, run.count + (former.count if former else 0))
    return tuple(grains.values())


def _expiry_of(past: Past, count: int) -> int:
    """When the ``count`` oldest releases no longer count."""
    for run in past:
        count -= run.count
        if count <= 0:
            return run.at + PERIOD_MICROS
    raise ValueError("fewer releases than are to expire")


def _varint(number: int) -> bytes:
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _varints(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("releases that end in the middle")
