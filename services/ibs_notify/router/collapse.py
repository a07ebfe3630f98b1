"""A backlog over its bound: its lowest severities go into one summary, which accounts for each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ibs_notify.domain.bounds import MAX_SUMMARY
from ibs_notify.domain.resource import canonical, datastore_of
from ibs_notify.domain.severity import Severity

MINUTES: Final = 15
_MOST_OF_A_LINE: Final = 200
_HEADINGS: Final = MAX_SUMMARY // 2
"""What the headings may take; the other half is for ids."""


class CollapseReason(StrEnum):
    """Why events are collapsed, or are not."""

    WITHIN_BOUND = "WITHIN_BOUND"
    OVER_BOUND = "OVER_BOUND"
    ONLY_CRITICAL = "ONLY_CRITICAL"
    """Over the bound, but nothing else waits, and critical events are never collapsed."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """How many of each severity are to be collapsed, the newest of a severity first."""

    reason: CollapseReason
    counts: Mapping[Severity, int]


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """An event that a summary stands for; ``timestamp`` is aware UTC."""

    type: str
    severity: Severity
    resource: str
    subject: str
    event_id: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class _Kind:
    """Events that are told in one line; oldest first."""

    heading: str
    rows: Sequence[SummaryRow]


def bound_of(limit: int) -> int:
    """How many events may wait in a group of this rate limit: what a quarter of an hour releases.

    Without a limit, 0, nothing waits for one, and there is no bound.
    """
    return MINUTES * limit if limit > 0 else sys.maxsize


def collapse(waiting: Mapping[Severity, int], bound: int) -> Collapse:
    """What of the ``waiting`` events, by severity, is to be collapsed, lowest first.

    A severity that has to give gives until half the bound is left. So a storm makes a few long
    summaries, and not one for each event that comes while the backlog is full.
    """
    left = sum(waiting.values())
    if left <= bound:
        return Collapse(CollapseReason.WITHIN_BOUND, {})
    counts: dict[Severity, int] = {}
    for severity in sorted(Severity):
        count = min(waiting.get(severity, 0), left - bound // 2)
        if severity is Severity.CRITICAL or left <= bound:
            break
        if count:
            counts[severity] = count
            left -= count
    return Collapse(CollapseReason.OVER_BOUND if counts else CollapseReason.ONLY_CRITICAL, counts)


def summary_of(rows: Iterable[SummaryRow], summary_id: str) -> tuple[str, str]:
    """Subject and text of the event ``summary_id``, which stands for ``rows``, at least one.

    Like is grouped with like, worst first, and every event is counted. Ids are listed as far as
    they fit; of the others the text says how many they are, and the command that lists them.
    """
    kinds = _kinds(rows)
    every = [row for kind in kinds for row in kind.rows]
    first, last = min(row.timestamp for row in every), max(row.timestamp for row in every)
    opening = (
        f"More events were waiting than the rate limit releases in {MINUTES} minutes. These"
        f" {len(every):,}, the least severe of them, are told in this one notification.\n"
        f"They are of {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC."
    )
    shown, headings = _headings(kinds)
    closing = "and {:,} more: ironcore-backup notification event list --collapsed-into " + (
        summary_id
    )
    room = MAX_SUMMARY - len(opening) - headings - len(closing.format(len(every))) - 4
    blocks, listed = [opening], 0
    for kind in shown:
        block, count = _with_ids(kind, room)
        room -= len(block) - len(kind.heading)
        listed += count
        blocks.append(block)
    if len(shown) < len(kinds):
        blocks.append(_others(kinds[len(shown) :]))
    if listed < len(every):
        blocks.append(closing.format(len(every) - listed))
    return f"{len(every):,} events in one: {_by_severity(every)}", "\n\n".join(blocks)


def _kinds(rows: Iterable[SummaryRow]) -> list[_Kind]:
    groups: dict[tuple[Severity, str, str], list[SummaryRow]] = {}
    for row in rows:
        resource = canonical(row.resource)
        place = _one_line(datastore_of(resource) or resource)
        groups.setdefault((row.severity, row.type, place), []).append(row)
    worst_first = sorted(groups.items(), key=lambda item: (-item[0][0], -len(item[1]), item[0]))
    kinds = []
    for (severity, event_type, place), found in worst_first:
        found.sort(key=lambda row: (row.timestamp, row.event_id))
        where = f" on {place}" if place else ""
        span = _span(found[0].timestamp, found[-1].timestamp)
        heading = f"{len(found):,} × {event_type} ({severity.label}){where}, {span}"
        kinds.append(_Kind(heading, found))
    return kinds


def _headings(kinds: Sequence[_Kind]) -> tuple[Sequence[_Kind], int]:
    """The kinds whose headings fit, and the room that these and the line of the others take."""
    taken = len(_others(kinds)) + 2
    for index, kind in enumerate(kinds):
        if taken + len(kind.heading) + 2 > _HEADINGS:
            return kinds[:index], taken
        taken += len(kind.heading) + 2
    return kinds, taken


def _others(kinds: Sequence[_Kind]) -> str:
    rows = [row for kind in kinds for row in kind.rows]
    return f"{len(rows):,} × {len(kinds):,} other kinds: {_by_severity(rows)}"


def _with_ids(kind: _Kind, room: int) -> tuple[str, int]:
    """The block of a kind within its heading and ``room`` more, and how many ids it lists."""
    block, count = kind.heading, 0
    latest = _one_line(kind.rows[-1].subject)
    if latest and len(latest) + 11 <= room:
        block += f"\n  latest: {latest}"
    separator = "\n  "
    for row in kind.rows:
        entry = separator + row.event_id
        if len(block) + len(entry) > len(kind.heading) + room:
            break
        block += entry
        count += 1
        separator = ", "
    return block, count


def _by_severity(rows: Sequence[SummaryRow]) -> str:
    counts = Counter(row.severity for row in rows)
    return ", ".join(f"{counts[each]:,} {each.label}" for each in sorted(counts, reverse=True))


def _span(first: datetime, last: datetime) -> str:
    if first.date() != last.date():
        return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M}"
    begin, end = f"{first:%H:%M}", f"{last:%H:%M}"
    return begin if begin == end else f"{begin}–{end}"


def _one_line(text: str) -> str:
    """``text`` as a part of a line: no emitter can forge a line of the summary."""
    flat = "".join(each if each.isprintable() else " " for each in text).strip()
    return flat if len(flat) <= _MOST_OF_A_LINE else flat[: _MOST_OF_A_LINE - 1] + "…"
