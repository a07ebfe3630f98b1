"""Silences that keep errors, or what is critical, from people: now, or when they hold next. Pure.

A silence is no gap. But nobody who reads that there is none may take it to say that all is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ibs_notify.domain.catalogue import ABOUT_DATASTORES, CATALOGUE
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.router.notices import NOTICES, TARGET_FAILING
from ibs_notify.router.silence import Schedule, Silence, is_active, next_change, schedule_of
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.parse import parse
from ibs_notify.rules.possible import may_match

_KNOWN: Final = tuple(
    (each.name, each.severity)
    for each in CATALOGUE.values()
    if each.severity >= Severity.ERROR and (each.name not in NOTICES or each.name == TARGET_FAILING)
)
"""Of our own notices the one that coverage says is told."""
_OF_DATASTORES: Final = frozenset(each.name for each in ABOUT_DATASTORES)


@dataclass(frozen=True, slots=True)
class Hiding:
    """A silence, what it may hide by type, the gravest first, and how many events it has hidden."""

    silence: Silence
    types: tuple[str, ...]
    event_count: int = 0


def hiding(
    silences: Iterable[Silence],
    seen: Mapping[Severity, Iterable[str]],
    hidden: Mapping[str, int],
    now: datetime,
) -> list[Hiding]:
    """Those in force at ``now`` first, then those that begin next; one that never holds is none.

    ``seen`` are types that came with severity error and above; ``hidden`` counts the events of
    these severities by the silence that kept them from somebody.
    """
    came = {(name, severity) for severity, names in seen.items() for name in names}
    asked = sorted({*_KNOWN, *came}, key=_order)
    found: list[tuple[tuple[bool, datetime], Hiding]] = []
    for silence in silences:
        read = _read(silence)
        if read is None:
            continue
        rule, schedule = read
        change = next_change(schedule, now)
        if not is_active(schedule, now) and change is None:
            continue
        possible = (name for name, severity in asked if may_match(rule, name, severity))
        each = Hiding(silence, tuple(dict.fromkeys(possible)), hidden.get(silence.silence_id, 0))
        if each.types or each.event_count:
            order = (not is_active(schedule, now), change or silence.created_at)
            found.append((order, each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _order(of: tuple[str, Severity]) -> tuple[int, bool, str]:
    """The gravest first, and what is about datastores before what is not."""
    name, severity = of
    return -severity, name not in _OF_DATASTORES, name


def _read(silence: Silence) -> tuple[Rule, Schedule] | None:
    """None of what cannot be read, which silences nothing."""
    try:
        return parse(silence.rule), schedule_of(silence)
    except (InvalidArgument, ValueError, LookupError, OSError):
        return None
