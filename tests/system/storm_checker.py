"""What must hold of a storm: the limit, the order, and that every event is accounted for. Pure.

Each check returns what breaks it, one line for each; nothing where it holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import State
from tests.system.checker import Receipt
from tests.system.storm_books import Books, Obligation

PERIOD_MICROS = 60_000_000
Route = tuple[str, str]
"""Group and target."""


def releases(obligations: Sequence[Obligation], group: str) -> list[tuple[int, str]]:
    """When ``group`` let each event go: one that went twice counts twice, in order of time."""
    return sorted(
        {
            (each.released_at, each.event_id)
            for each in obligations
            if each.group == group and each.released_at is not None
        }
    )


def most_in_a_minute(times: Sequence[int]) -> int:
    """The most of ``times``, in order, that any minute (t - 60 s, t] holds."""
    return max(
        (index + 1 - bisect_right(times, t - PERIOD_MICROS) for index, t in enumerate(times)),
        default=0,
    )


def over_limit(
    obligations: Sequence[Obligation], limits: Mapping[str, int], lifted_at: int
) -> list[str]:
    """Every release that, with those of the minute before it, makes more than its group's limit.

    Up to ``lifted_at``, when there was no limit any more.
    """
    return [
        f"{group} at {last}: over {limit} within a minute"
        for group, limit in limits.items()
        for times in [[at for at, _ in releases(obligations, group) if at < lifted_at]]
        for first, last in zip(times, times[limit:], strict=False)
        if last - first < PERIOD_MICROS
    ]


def overtaken(obligations: Sequence[Obligation], acked: Mapping[str, int]) -> list[str]:
    """Events that waited, acknowledged, while less severe ones of their group were released.

    The bound is none at all: whatever is released after an answer is chosen by a transaction that
    sees the event. What was in hand by then is released before the answer, so it does not count.
    """
    severities = {each.event_id: each.severity for each in obligations}
    times: defaultdict[tuple[str, Severity], list[int]] = defaultdict(list)
    for group in {each.group for each in obligations}:
        for at, event_id in releases(obligations, group):
            times[group, severities[event_id]].append(at)
    waited = {
        (each.group, each.event_id, each.released_at)
        for each in obligations
        if each.state in (State.READY, State.HANDED_OFF) and each.event_id in acked
    }
    return [
        f"{group} {event_id} ({severities[event_id].label}): after {late} less severe"
        for group, event_id, released_at in waited
        for late in [
            sum(
                _count_between(times[group, less], acked[event_id], released_at)
                for less in Severity
                if less < severities[event_id]
            )
        ]
        if late
    ]


def _count_between(times: Sequence[int], after: int, before: int | None) -> int:
    """How many of ``times``, in order, are later than ``after`` and earlier than ``before``."""
    end = len(times) if before is None else bisect_left(times, before)
    return max(end - bisect_right(times, after), 0)


def not_routed(books: Books, expected: Mapping[str, Collection[Route]]) -> list[str]:
    """Acknowledged events that the Router does not have, or not once for each route expected."""
    found: defaultdict[str, Counter[Route]] = defaultdict(Counter)
    for each in books.obligations:
        found[each.event_id][each.group, each.target] += 1
    return [
        f"{event_id}: {dict(found[event_id])}"
        for event_id, routes in expected.items()
        if event_id not in books.events or found[event_id] != Counter(routes)
    ]


def critical_collapsed(books: Books) -> list[str]:
    """Critical events that were collapsed, which never happens."""
    return [
        each.obligation_id
        for each in books.obligations
        if each.state is State.COLLAPSED and each.severity is Severity.CRITICAL
    ]


def unaccounted(
    obligations: Sequence[Obligation], receipts: Sequence[Receipt], *, drained: bool
) -> list[str]:
    """Obligations that neither arrived nor point, at last, to what arrived at their target.

    Unless it is ``drained``, what waits or is on its way is accounted for too.
    """
    arrived = {(each.sink, each.event_id) for each in receipts}
    by_id = {each.obligation_id: each for each in obligations}
    # A summary is an event with one obligation.
    by_id |= {each.event_id: each for each in obligations if each.is_summary}
    faults = []
    for each in obligations:
        end = _end_of(each, by_id)
        if end is None or end.target != each.target:
            faults.append(
                f"{each.obligation_id}: {each.state} by {each.pointer!r}, which is nothing"
            )
        elif drained and (end.target, end.event_id) not in arrived:
            faults.append(f"{each.obligation_id}: {end.obligation_id} is {end.state}, not told")
    return faults


def _end_of(obligation: Obligation, by_id: Mapping[str, Obligation]) -> Obligation | None:
    """What the obligation shares its fate with; ``None`` where its pointers lead astray."""
    seen = {obligation.obligation_id}
    each = obligation
    while each.state not in (State.READY, State.HANDED_OFF):
        following = by_id.get(each.pointer)
        if following is None or following.obligation_id in seen:
            return None
        seen.add(following.obligation_id)
        each = following
    return each


def not_as_released(
    obligations: Sequence[Obligation], receipts: Sequence[Receipt], *, drained: bool
) -> list[str]:
    """What arrived without a release; where it is ``drained``, also what was released in vain."""
    released = {
        (each.target, each.event_id) for each in obligations if each.released_at is not None
    }
    arrived = {(each.sink, each.event_id) for each in receipts}
    astray = released ^ arrived if drained else arrived - released
    return [f"{sink} {event_id}" for sink, event_id in sorted(astray)]


def told_twice(receipts: Sequence[Receipt]) -> list[str]:
    """What a sink received more than once, whatever its message id."""
    counts = Counter((each.sink, each.event_id) for each in receipts)
    return [f"{sink} {event_id}" for (sink, event_id), times in counts.items() if times > 1]


def miscounted(books: Books) -> list[str]:
    """Summaries that do not say how many they stand for, or stand for what is not theirs."""
    return list(_miscounted(books))


def _miscounted(books: Books) -> Iterator[str]:
    summaries = [each for each in books.obligations if each.is_summary]
    routes = {each.event_id: (each.group, each.target) for each in summaries}
    counts: Counter[str] = Counter()
    for each in books.obligations:
        if each.state is State.COLLAPSED:
            counts[each.pointer] += 1
            if routes.get(each.pointer) != (each.group, each.target):
                yield f"{each.obligation_id}: in the summary {each.pointer} of another target"
    for summary_id in (each.event_id for each in summaries if each.released_at is not None):
        subject = books.events[summary_id]
        if not subject.startswith(f"{counts[summary_id]:,} events in one:"):
            yield f"{summary_id}: stands for {counts[summary_id]}, says {subject!r}"
