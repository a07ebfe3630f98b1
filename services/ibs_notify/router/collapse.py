"""A backlog over its bound: its lowest severities go into one summary, which accounts for each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from ibs_notify.domain.bounds import MAX_SUMMARY
from ibs_notify.domain.resource import canonical, datastore_of
from ibs_notify.domain.severity import Severity

MINUTES: Final = 15
_MOST_OF_A_LINE: Final = 200
_HEADINGS: Final = MAX_SUMMARY // 2
"""What the headings may take; the other half is for subjects and ids."""
_MOST_IDS: Final = 5
"""Of a kind: a mail shows the beginning of the text, and people do not read ids by the thousand."""
_MOST_KINDS: Final = 1000
"""Of a severity that are told apart: several times what fits, so that a summary of any number of
events is written in bounded memory."""


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


@dataclass(slots=True)
class _Kind:
    """Events that are told in one line, added up as they come; ``ids`` are the first."""

    severity: Severity
    type: str
    place: str
    first: datetime
    last: datetime
    count: int = 0
    latest: str = ""
    ids: list[str] = field(default_factory=list)

    def add(self, row: SummaryRow) -> None:
        self.count += 1
        self.first = min(self.first, row.timestamp)
        if row.timestamp >= self.last:
            self.last, self.latest = row.timestamp, row.subject
        if len(self.ids) < _MOST_IDS:
            self.ids.append(row.event_id)

    @property
    def heading(self) -> str:
        where = f" on {self.place}" if self.place else ""
        what = f"{self.count:,} × {self.type} ({self.severity.label}){where}"
        return f"{what}, {_span(self.first, self.last)}"


@dataclass(frozen=True, slots=True)
class _Kinds:
    """``named`` worst first, then by number; ``others`` are of severities that had too many."""

    named: Sequence[_Kind]
    others: Sequence[_Kind]

    @property
    def every(self) -> Sequence[_Kind]:
        return [*self.named, *self.others]


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

    Like is grouped with like, worst first, and every event is counted. A few ids are listed of
    each kind; before them comes the command that lists them all. The ``rows``, oldest first, may be
    many: none is kept.
    """
    kinds = _kinds(rows)
    total = sum(kind.count for kind in kinds.every)
    first = min(kind.first for kind in kinds.every)
    last = max(kind.last for kind in kinds.every)
    opening = (
        f"More events were waiting than the rate limit releases in {MINUTES} minutes. These"
        f" {total:,}, the least severe of them, are told in this one notification.\n"
        f"They are of {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC; each is listed by\n"
        f"ironcore-backup notification event list --collapsed-into {summary_id}"
    )
    shown, headings = _headings(kinds)
    room = MAX_SUMMARY - len(opening) - headings - 2
    blocks = [opening]
    for kind in shown:
        block = _with_ids(kind, room)
        room -= len(block) - len(kind.heading)
        blocks.append(block)
    hidden = _Kinds(kinds.named[len(shown) :], kinds.others)
    if hidden.every:
        blocks.append(_others(hidden))
    return f"{total:,} events in one: {_by_severity(kinds.every)}", "\n\n".join(blocks)


def _kinds(rows: Iterable[SummaryRow]) -> _Kinds:
    named: dict[tuple[Severity, str, str], _Kind] = {}
    others: dict[Severity, _Kind] = {}
    known: Counter[Severity] = Counter()
    for row in rows:
        resource = canonical(row.resource)
        place = _one_line(datastore_of(resource) or resource)
        key = (row.severity, row.type, place)
        kind = named.get(key)
        if kind is None and known[row.severity] < _MOST_KINDS:
            known[row.severity] += 1
            kind = named[key] = _Kind(*key, row.timestamp, row.timestamp)
        elif kind is None:
            kind = others.setdefault(
                row.severity, _Kind(row.severity, "", "", row.timestamp, row.timestamp)
            )
        kind.add(row)
    worst_first = sorted(named.items(), key=lambda item: (-item[0][0], -item[1].count, item[0]))
    return _Kinds([kind for _, kind in worst_first], list(others.values()))


def _headings(kinds: _Kinds) -> tuple[Sequence[_Kind], int]:
    """The kinds whose headings fit, and the room that these and the line of the others take."""
    taken = len(_others(kinds)) + 2
    for index, kind in enumerate(kinds.named):
        if taken + len(kind.heading) + 2 > _HEADINGS:
            return kinds.named[:index], taken
        taken += len(kind.heading) + 2
    return kinds.named, taken


def _others(kinds: _Kinds) -> str:
    count = sum(kind.count for kind in kinds.every)
    number = f"over {len(kinds.named):,}" if kinds.others else f"{len(kinds.named):,}"
    return f"{count:,} × {number} other kinds: {_by_severity(kinds.every)}"


def _with_ids(kind: _Kind, room: int) -> str:
    """The block of a kind within its heading and ``room`` more."""
    block = kind.heading
    latest = _one_line(kind.latest)
    if latest and len(latest) + 11 <= room:
        block += f"\n  latest: {latest}"
    more = ", …" if kind.count > len(kind.ids) else ""
    ids = f"\n  {', '.join(kind.ids)}{more}"
    return block + ids if len(block) + len(ids) <= len(kind.heading) + room else block


def _by_severity(kinds: Sequence[_Kind]) -> str:
    counts: Counter[Severity] = Counter()
    for kind in kinds:
        counts[kind.severity] += kind.count
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
