"""What is still failing: the resources of which the last word was a problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ibs_notify.delivery.reports.digest_lines import Occurrence, occurrence_of
from ibs_notify.domain.catalogue import Outcome
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

MOST_RESOURCES: Final = 100_000
"""That are followed; of what comes beyond, nothing is said."""
MOST_NAMED: Final = 1000
"""Failing ones of a severity of which more is kept than that they fail."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A resource whose last event of a source was a problem, told ``count`` times in the window."""

    severity: Severity
    type: str
    count: int
    first_at: datetime
    latest: Occurrence


@dataclass(slots=True)
class _Standing:
    """``failing`` is of the last problem, and None where that was followed by better.

    ``last`` orders what is said of a resource. Of two things at the same time it is the problem.
    """

    last: tuple[datetime, datetime, bool, str]
    failing: _Problem | None = None
    count: int = 0
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Problem:
    """``latest`` is None where too many are named already."""

    severity: Severity
    type: str
    latest: Occurrence | None


class Standings:
    """How each resource stands, by source: a sound verification does not mend a failed backup."""

    def __init__(self) -> None:
        # By hash: of a hundred thousand sound resources not even the names are kept.
        self._standings: dict[int, _Standing] = {}
        self._named: dict[Severity, int] = {}

    def add(self, event: Event, outcome: Outcome, at: datetime, received_at: datetime) -> None:
        """Take note of good news or bad about a resource; events may come in any order."""
        if outcome is Outcome.NEUTRAL or not event.canonical_resource:
            return
        is_problem = outcome is Outcome.PROBLEM
        rank = (at, received_at, is_problem, event.event_id)
        key = hash((event.source, event.canonical_resource))
        standing = self._standings.get(key)
        if standing is None:
            if len(self._standings) >= MOST_RESOURCES:
                return
            standing = self._standings[key] = _Standing(rank)
        if is_problem:
            standing.count += 1
            standing.first_at = min(at, standing.first_at or at)
        if rank >= standing.last:
            standing.last = rank
            self._forget(standing.failing)
            standing.failing = self._problem(event, at) if is_problem else None

    def failing(self) -> tuple[Sequence[Failing], int]:
        """Those that can be named, worst first, and how many there are in all."""
        found: list[Failing] = []
        count = 0
        for each in self._standings.values():
            problem = each.failing
            if problem is None:
                continue
            count += 1
            if problem.latest is not None and each.first_at is not None:
                found.append(
                    Failing(
                        problem.severity, problem.type, each.count, each.first_at, problem.latest
                    )
                )
        found.sort(key=lambda each: (-each.severity, -each.count, each.type, each.latest.resource))
        return found, count

    def _problem(self, event: Event, at: datetime) -> _Problem:
        named = self._named.get(event.severity, 0)
        if named >= MOST_NAMED:
            return _Problem(event.severity, event.type, None)
        self._named[event.severity] = named + 1
        return _Problem(event.severity, event.type, occurrence_of(event, at))

    def _forget(self, problem: _Problem | None) -> None:
        if problem is not None and problem.latest is not None:
            self._named[problem.severity] -= 1
