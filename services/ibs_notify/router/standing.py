"""What became of a matching event, in words: from silences to the rate limit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from ibs_notify.router.dedup import DedupReason
from ibs_notify.router.digest import DigestReason
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.limit import LimitReason
from ibs_notify.router.match import Route
from ibs_notify.router.pipeline import SilenceReason
from ibs_notify.router.silence import Silence


class ToldReason(StrEnum):
    """What is not stored of an event that was told."""

    NOT_REPEATED = "NOT_REPEATED"
    """Which of the reasons to tell it deduplication had, where that cannot be found again."""
    RELEASED = "RELEASED"
    """What the rate limit was and left at that moment, if there was one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: at which stage, its name, the same in words, and what it points to."""

    stage: str
    reason: str
    sentence: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a pointer leads to: an obligation of an event, and its ``fate`` in words.

    ``delivery_id`` is of the one that took it in the end; it ``failed`` where that died or was
    cancelled. Where the event is no longer kept, ``received_at`` is ``None`` and the names are
    empty.
    """

    event_id: str
    received_at: datetime | None = None
    group: str = ""
    target: str = ""
    fate: str = "no longer kept"
    delivery_id: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What a subscription was told before an event that was told too, and what follows from it.

    ``change`` names the event that said otherwise meanwhile. Where it was a repeat by all that is
    stored, ``REPEATED``, what was told may not have arrived.
    """

    reason: DedupReason
    told: Told | None = None
    change: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """``ahead`` events go first; the next may go at ``next_at``, ``None`` for at once.

    ``limit`` is events a minute, 0 for none.
    """

    ahead: int
    next_at: datetime | None
    limit: int

    @property
    def holds(self) -> bool:
        """Whether it has to wait for the rate limit."""
        return bool(self.limit) and (self.ahead > 0 or self.next_at is not None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of the obligation of a route, or would, and what is known of its pointer.

    ``verdicts`` are the reasons of the pipeline's stages, by stage; ``before`` tells more of that
    of deduplication where the event is stored. ``queue`` is where it waits;
    ``delivery`` says how far its delivery is, empty where it has none or nothing is known.
    """

    state: State
    reason: str
    verdicts: Mapping[str, str]
    pointer: str = ""
    suppressed: int = 0
    silence: Silence | None = None
    told: Told | None = None
    before: Before | None = None
    queue: Queue | None = None
    delivery: str = ""

    @property
    def hears(self) -> bool:
        """Whether the event is told on this route, now or as part of something else."""
        return self.state not in (State.SILENCED, State.SUPPRESSED)

    @property
    def is_entry(self) -> bool:
        """Whether it is gathered for a digest."""
        return self.reason == Reason.GATHERED

    @property
    def all_told(self) -> tuple[Told, ...]:
        """What its pointer leads to, and what was told before it."""
        told = (self.told, self.before.told if self.before is not None else None)
        return tuple(each for each in told if each is not None)


def steps_of(route: Route, standing: Standing) -> list[Step]:
    """What each stage said, in their order, then the release."""
    return [*_stages(route, standing), *_last_word(route, standing)]


def _stages(route: Route, standing: Standing) -> list[Step]:
    if route.is_metric_server:
        sentence = "a metric server records every matching event: nothing keeps one from it"
        return [Step("record", Reason.RECORDED, sentence)]
    return [
        _stage(route, stage, reason, standing)
        for stage, reason in standing.verdicts.items()
        if stage != "digest" or route.gathers is not None
    ]


def _stage(route: Route, stage: str, reason: str, standing: Standing) -> Step:
    if reason == ToldReason.NOT_REPEATED:
        if not route.dedup_window:
            reason = DedupReason.OFF
        elif standing.before is not None:
            return _no_repeat(route, stage, standing.before, standing)
    pointer = standing.pointer if _ends_here(reason) else ""
    return Step(stage, reason, _stage_sentence(route, reason, standing), pointer)


def _ends_here(reason: str) -> bool:
    return reason in (SilenceReason.SILENCED, DedupReason.REPEATED)


def _stage_sentence(route: Route, reason: str, standing: Standing) -> str:
    window = span(route.dedup_window)
    mention = _mention(standing)
    match reason:
        case SilenceReason.NOT_SILENCED:
            return "no silence that matches is in force"
        case SilenceReason.SILENCED:
            return _silence(standing)
        case DedupReason.OFF:
            return f"group {route.group} has no deduplication window{mention}"
        case DedupReason.FIRST:
            return f"nothing identical was told that arrived{mention}"
        case DedupReason.WINDOW_ENDED:
            return f"the last identical one was told more than {window} ago{mention}"
        case DedupReason.STATE_CHANGED:
            return f"an identical one was told within {window}, but things changed since{mention}"
        case DedupReason.REPEATED:
            return _repeat(route, standing)
        case ToldReason.NOT_REPEATED:
            return f"it was no repeat of what was told within {window}{mention}"
        case _:
            return _digest(route, reason)


def _digest(route: Route, reason: str) -> str:
    rule = " ".join(route.digest_rule.splitlines())
    match reason:
        case DigestReason.GATHERED:
            return f"the digest of group {route.group} gathers it: its rule is {rule}"
        case DigestReason.NOT_GATHERED:
            return f"the digest of group {route.group} does not gather it: its rule is {rule}"
        case _:
            return reason


def _mention(standing: Standing) -> str:
    if not standing.suppressed:
        return ""
    times = "event was" if standing.suppressed == 1 else "events were"
    return f"; {standing.suppressed:,} identical {times} not told before, and it says so"


def _no_repeat(route: Route, stage: str, before: Before, standing: Standing) -> Step:
    """Why a stored event was none, as far as that can be found again."""
    window, mention, told = span(route.dedup_window), _mention(standing), before.told
    if told is None or told.received_at is None:
        sentence = "nothing identical was told before it, as far back as events are kept"
        return Step(stage, DedupReason.FIRST, f"{sentence}{mention}")
    last = f"{told.event_id}, told at {at(told.received_at)}"
    match before.reason:
        case DedupReason.WINDOW_ENDED:
            sentence = f"the last identical one was {last}, more than {window} before"
        case DedupReason.STATE_CHANGED if before.change:
            sentence = f"{before.change} changed things since {last}"
        case DedupReason.STATE_CHANGED:
            sentence = f"it is itself a change since {last}"
        case _ if told.failed:
            sentence = f"{last}, did not arrive ({told.fate})"
            return Step(stage, DedupReason.FIRST, f"{sentence}{mention}")
        case _:
            sentence = f"{last} ({told.fate}), was not counted as told then"
            return Step(stage, ToldReason.NOT_REPEATED, f"{sentence}{mention}")
    return Step(stage, before.reason, f"{sentence}{mention}")


def _silence(standing: Standing) -> str:
    silence = standing.silence
    if silence is None:
        return f"silence {standing.pointer} kept it quiet"
    until = f"until {at(silence.end)}" if silence.end is not None else "until it is ended"
    when = f"every {silence.weekly} {silence.time_zone or 'UTC'}, {until}"
    return (
        f"silence {silence.silence_id} of {silence.author} keeps it quiet, "
        f"{when if silence.weekly else until}: {silence.comment}"
    )


def _repeat(route: Route, standing: Standing) -> str:
    told = standing.told
    if told is None or told.received_at is None:
        return f"it repeats {standing.pointer}, which is no longer kept"
    over = told.received_at + route.dedup_window
    return (
        f"it repeats {told.event_id}, told at {at(told.received_at)} ({told.fate}); "
        f"the window of {span(route.dedup_window)} ends at {at(over)}"
    )


def _last_word(route: Route, standing: Standing) -> list[Step]:
    """What the release said, where the stages let it get there."""
    told, pointer = standing.told, standing.pointer
    match standing.state:
        case State.SILENCED | State.SUPPRESSED:
            return []
        case State.COALESCED:
            by = f"the route to {told.target} of group {told.group}" if told else pointer
            sentence = f"{by} took it to the same destination first ({told.fate if told else '?'})"
            return [Step("coalescing", Reason.DESTINATION_TAKEN, sentence, pointer)]
        case State.COLLAPSED:
            summary = f"summary {pointer} stands for it ({told.fate if told else 'not known'})"
            sentence = f"more events waited than the rate limit releases in 15 minutes; {summary}"
            return [Step("rate", Reason.BACKLOG_COLLAPSED, sentence, pointer)]
        case State.READY | State.HANDED_OFF if route.is_metric_server or standing.is_entry:
            return []
        case State.READY | State.HANDED_OFF:
            return [_rate(route, standing)]
        case _:
            assert_never(standing.state)


def _rate(route: Route, standing: Standing) -> Step:
    queue = standing.queue
    if queue is None:
        # The limit may have been another then, or gone with its group: that is not stored.
        sentence = f"group {route.group} let it go on to Delivery"
        return Step("rate", ToldReason.RELEASED, sentence)
    if not queue.limit:
        reason, sentence = LimitReason.UNLIMITED, f"group {route.group} has no rate limit"
    elif not queue.holds:
        reason = LimitReason.WITHIN_LIMIT
        sentence = f"the rate limit of {queue.limit:,} a minute has room"
    else:
        reason, sentence = LimitReason.LIMIT_REACHED, _waits(queue)
    return Step("rate", reason, sentence)


def _waits(queue: Queue) -> str:
    ahead = f"{queue.ahead:,} go first" if queue.ahead != 1 else "one goes first"
    parts = [f"the rate limit of {queue.limit:,} a minute holds it"]
    if queue.ahead:
        parts.append(ahead)
    if queue.next_at is not None:
        parts.append(f"the next may go at {at(queue.next_at)}")
    return "; ".join(parts)


def sentence_of(standing: Standing) -> str:
    """The whole in one sentence: the last decision that matters."""
    told, pointer = standing.told, standing.pointer
    match standing.state:
        case State.READY | State.HANDED_OFF if standing.reason in _UNUSUAL:
            what, until_known = _UNUSUAL[standing.reason]
            return f"{what}: {standing.delivery or until_known}"
        case State.SILENCED:
            return _silence(standing)
        case State.SUPPRESSED:
            if told is None or told.received_at is None:
                return f"it repeats {pointer}, which was told and is no longer kept"
            return f"it repeats {told.event_id}, told at {at(told.received_at)} ({told.fate})"
        case State.COALESCED:
            return f"it goes to the same destination by {told.group if told else pointer}, once"
        case State.COLLAPSED:
            return f"it is told as part of summary {pointer}"
        case State.READY:
            queue = standing.queue
            if queue is not None and queue.holds:
                return _waits(queue)
            return "the rule matches and nothing holds it back"
        case State.HANDED_OFF:
            how = standing.delivery or "Delivery has it"
            return f"the rule matches and it went on: {how}"
        case _:
            assert_never(standing.state)


_UNUSUAL = {
    str(Reason.BACKLOG_COLLAPSED): (
        "it is the summary of a backlog",
        "it waits for the rate limit",
    ),
    str(Reason.GATHERED): (
        "the group's digest gathers it",
        "Delivery keeps it until the window closes",
    ),
}
"""What it is, and where it is as long as nothing is known of its delivery."""


def at(moment: datetime) -> str:
    """``2026-05-21 02:14:36 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """``1 h 30 min``, ``5 min``, ``90 s``."""
    seconds = round(length.total_seconds())
    if seconds % 60:
        return f"{seconds} s"
    days, minutes = divmod(seconds // 60, 24 * 60)
    amounts = ((days, "d"), (minutes // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in amounts if count) or "0 s"
