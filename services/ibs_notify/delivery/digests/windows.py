"""The windows of digests: whose they are, and whether one closes now. Pure.

A stream is what one reader of one group gathers: a target and, for mail, its recipients. It has at
most one open window. Whatever clocks, restarts and configurations do, it has at most one digest of
each date, and after a downtime one that catches up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from ibs_notify.delivery.admission import default_recipients
from ibs_notify.delivery.model import Kind
from ibs_notify.domain.digest_calendar import (
    Schedule,
    Slot,
    last_slot,
    next_slot,
    schedule_of,
    schedule_of_close,
    weekly_summary_schedule,
)
from ibs_notify.domain.group import Frequency, Group
from ibs_notify.domain.target import SmtpSpec
from ibs_notify.snapshot.model import Snapshot

_MOMENT = timedelta(microseconds=1)


class WindowState(IntEnum):
    """Where a window stands. Stored, so never renumbered."""

    OPEN = 1
    """It gathers."""
    CLOSING = 2
    """It gathers no more; its digest is being made."""
    CUT = 3
    """Its digest is made, and all its entries are part of it; some are still to be marked so."""
    CLOSED = 4


class CloseReason(StrEnum):
    """Why a window was closed. Stored and shown: never renamed."""

    SCHEDULED = "SCHEDULED"
    """It was time."""
    FLUSHED = "FLUSHED"
    """Somebody asked for it."""
    NO_DIGEST = "NO_DIGEST"
    """Its group has no digest any more, or is gone: what it holds goes out at once."""


class WindowReason(StrEnum):
    """What is to be done with an open window."""

    CONFIG_BEHIND = "CONFIG_BEHIND"
    """It was opened by a revision that this process has not seen yet: nothing."""
    GATHERS = "GATHERS"
    """It is not time yet."""
    DUE = "DUE"
    NO_DIGEST = "NO_DIGEST"


@dataclass(frozen=True, slots=True)
class Stream:
    """``kind`` is ``DIGEST``, or ``SUMMARY`` for the weekly one.

    It is the same in whatever order the recipients are named, and has them sorted, each once:
    addresses that differ in case are the same.
    """

    kind: Kind
    group: str
    target_uid: str
    recipients: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        once = {each.lower(): each for each in sorted(self.recipients, reverse=True)}
        object.__setattr__(self, "recipients", tuple(sorted(once.values())))

    @property
    def audience(self) -> str:
        """Stands for the recipients: 32 hex, empty for none."""
        return _hash(*self.recipients) if self.recipients else ""


@dataclass(frozen=True, slots=True)
class Window:
    """A window as it is stored.

    ``revision`` is the one that opened it; ``due_at`` when it is to be looked at, ``None`` as long
    as nobody has, and ``period`` how often its group had it then. What is closed has a ``reason``
    and a ``name`` that is unique among those of its stream and period. ``event_count`` is of what
    is closed; ``delivery_id`` is empty where there was nothing to send.
    """

    seq: int
    stream: Stream
    target: str
    revision: int
    opened_at: datetime
    state: WindowState = WindowState.OPEN
    due_at: datetime | None = None
    reason: str = ""
    period: str = ""
    name: str = ""
    closed_at: datetime | None = None
    event_count: int = 0
    delivery_id: str = ""

    @property
    def digest_id(self) -> str:
        """What people call it."""
        return f"dig-{self.seq}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """``slot`` is of what is DUE; what GATHERS closes at ``due_at`` as far as is known now."""

    reason: WindowReason
    slot: Slot | None = None
    due_at: datetime | None = None


def judge(
    window: Window, schedule: Schedule | None, revision: int, now: datetime, taken: Collection[str]
) -> Judgement:
    """Decide on an open window by the ``schedule`` that ``revision`` has for it.

    ``taken`` are the names of closes that the stream has had. Of closes that were missed only the
    last one counts. A window that was opened in the future, before the clock went back, is not due.
    """
    if window.revision > revision:
        return Judgement(WindowReason.CONFIG_BEHIND)
    if schedule is None:
        return Judgement(WindowReason.NO_DIGEST)
    slot = last_slot(schedule, now)
    if slot.at > window.opened_at and slot.name not in taken:
        return Judgement(WindowReason.DUE, slot)
    following = next_slot(schedule, now)
    while following.name in taken:
        following = next_slot(schedule, following.at)
    return Judgement(WindowReason.GATHERS, due_at=following.at)


def former_schedule(window: Window, zone: str) -> Schedule | None:
    """By which it was to close before its group lost its digest, as far as that was noted."""
    frequency = next((each for each in Frequency if each.value == window.period), None)
    if window.due_at is None or frequency is None:
        return None
    return schedule_of_close(frequency, window.due_at, zone)


def begin_of(
    window: Window, schedule: Schedule | None, closed_at: datetime, before: datetime | None
) -> datetime:
    """From when on a window counts, for people: since its period began, or since ``before``, when
    the stream's last one that told anything was closed, if that is later; but not later than it was
    opened."""
    begin = window.opened_at
    if schedule is not None:
        slot = last_slot(schedule, closed_at)
        if window.reason == CloseReason.SCHEDULED:
            slot = last_slot(schedule, slot.at - _MOMENT)
        begin = min(begin, slot.at)
    if before is not None and begin < before <= window.opened_at:
        return before
    return begin


def close_name(reason: CloseReason, window: Window) -> str:
    """The name of a close that no schedule names: no date's digest is spent on it."""
    return f"{reason.lower()} {window.digest_id}"


def delivery_id_of(stream: Stream, period: str, name: str) -> str:
    """The id of a digest's delivery: the same for the same stream and close, whoever makes it."""
    return _hash(stream.kind.name, stream.group, stream.target_uid, stream.audience, period, name)


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Plans:
    """What a configuration wants of digests.

    ``standing`` are the streams that always have an open window, since they send even if nothing is
    gathered, with the name of the target. ``unreadable`` are the uids of targets of a later
    release, whose windows stay as they are.
    """

    revision: int
    time_zone: str
    groups: Mapping[str, Group]
    standing: Mapping[Stream, str]
    unreadable: Collection[str] = ()

    @classmethod
    def of(cls, snapshot: Snapshot) -> Plans:
        targets = {target.name: target for target in snapshot.targets.values()}
        standing: dict[Stream, str] = {}
        for group in snapshot.groups:
            for kind in _standing_kinds(group):
                for subscription in group.subscriptions:
                    target = targets.get(subscription.target)
                    if target is None or target.is_metric_server:
                        continue
                    recipients = subscription.recipients or default_recipients(target, snapshot)
                    if not isinstance(target.spec, SmtpSpec):
                        recipients = ()
                    standing[Stream(kind, group.name, target.uid, recipients)] = target.name
        groups = {group.name: group for group in snapshot.groups}
        return cls(
            snapshot.revision,
            snapshot.settings.time_zone,
            groups,
            standing,
            snapshot.unreadable.keys(),
        )

    def schedule(self, stream: Stream) -> Schedule | None:
        """When a stream's windows close; ``None`` where it is to end."""
        group = self.groups.get(stream.group)
        if group is None:
            return None
        if stream.kind is Kind.SUMMARY:
            if stream not in self.standing:
                return None
            return weekly_summary_schedule(group.digest, self.time_zone)
        return None if group.digest is None else schedule_of(group.digest, self.time_zone)

    def wants_anyway(self, window: Window) -> bool:
        """Whether a closed window is told of though it holds nothing.

        A summary also where its readers are others by now: these begin with the next week.
        """
        stream = window.stream
        if stream.kind is Kind.DIGEST or window.reason == CloseReason.NO_DIGEST:
            return stream in self.standing
        mine = (stream.kind, stream.group, stream.target_uid)
        return any((each.kind, each.group, each.target_uid) == mine for each in self.standing)

    def zone(self, stream: Stream) -> str:
        """The zone in which a stream's digests speak of times."""
        schedule = self.schedule(stream)
        return self.time_zone if schedule is None else schedule.zone


def _standing_kinds(group: Group) -> list[Kind]:
    kinds = []
    if group.digest is not None and group.digest.send_empty:
        kinds.append(Kind.DIGEST)
    if group.weekly_summary:
        kinds.append(Kind.SUMMARY)
    return kinds
