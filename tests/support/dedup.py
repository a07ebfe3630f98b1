"""Deduplication for tests: what is put to the test, a double of it, and a judge that knows neither.

The judge states the promise: no repeat is hidden behind anything but a living notification that
said the same of the same subject with no change since, and nothing is told twice without a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dedup import Window, changes_subject, deduplicate
from ibs_notify.router.fingerprint import fingerprint
from ibs_notify.router.identity import obligation_id

SUBSCRIPTIONS: Mapping[str, Severity] = {"all": Severity.INFO, "errors": Severity.ERROR}
"""Two subscriptions of one group, each with the lowest severity that its rule matches."""
STARTING_LENGTH = timedelta(minutes=5)
VARIANT = "variant"
"""The label that says which of the texts an event has, whatever varies in it."""

NEUTRAL_WORDS = ("started", "stopped", "change")
"""What the neutral types of the sequences end in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an event for one subscription. ``pointer`` is an obligation, if suppressed."""

    obligation: str
    told: bool
    pointer: str = ""
    suppressed_before: int = 0


class Deduplicating(Protocol):
    """What is put to the test: a Router with the group of ``SUBSCRIPTIONS``."""

    async def emit(self, events: Sequence[Event], now: datetime) -> Sequence[Mapping[str, Answer]]:
        """Accept ``events`` in one batch, in order; of each the answer for each subscription."""
        ...

    async def die(self, subscription: str, obligation: str) -> None:
        """What was told by ``obligation`` did not arrive. Returns once that is known."""
        ...

    async def set_length(self, length: timedelta) -> None:
        """The group's window from now on; 0 for off."""
        ...

    async def restart(self) -> None:
        """Stop, start, and know no less than before."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A window, and how many events had been accepted when it was opened."""

    window: Window
    accepted: int


class InMemory:
    """The decisions of the Router on dictionaries."""

    def __init__(self) -> None:
        self._length = STARTING_LENGTH
        self._accepted: list[Event] = []
        self._windows: dict[tuple[str, bytes], Known] = {}

    async def emit(self, events: Sequence[Event], now: datetime) -> Sequence[Mapping[str, Answer]]:
        return [self._accept(event, now) for event in events]

    def _accept(self, event: Event, now: datetime) -> Mapping[str, Answer]:
        self._accepted.append(event)
        wanted = [name for name, lowest in SUBSCRIPTIONS.items() if event.severity >= lowest]
        return {
            name: self._decide(name, event, obligation_id(event.event_id, position), now)
            for position, name in enumerate(wanted)
        }

    def _decide(self, subscription: str, event: Event, obligation: str, now: datetime) -> Answer:
        if not self._length:
            return Answer(obligation, told=True)
        key = (subscription, fingerprint(event))
        known = self._windows.get(key)
        verdict = deduplicate(
            known.window if known is not None else None,
            self._length,
            event,
            obligation,
            changed=known is not None and self.changed(known, event),
            now=now,
        )
        if verdict.window is not None:
            repeats = known is not None and verdict.window.told == known.window.told
            accepted = known.accepted if known is not None and repeats else len(self._accepted)
            self._windows[key] = Known(verdict.window, accepted)
        closed = verdict.decision
        pointer = closed.pointer if closed is not None else ""
        return Answer(obligation, closed is None, pointer, verdict.suppressed_before)

    def changed(self, known: Known, event: Event) -> bool:
        """Whether the subject of ``event``, or of what was told, has changed since.

        They differ where a ``dedup_key`` makes events of two resources identical.
        """
        subjects = {subject_of(event), subject_of(self._accepted[known.accepted - 1])}
        return any(
            changes_subject(known.window.type, known.window.severity, other)
            for other in self._accepted[known.accepted : -1]
            if subject_of(other) in subjects
        )

    async def die(self, subscription: str, obligation: str) -> None:
        for key, known in self._windows.items():
            if known.window.told == obligation:
                self._windows[key] = replace(known, window=known.window._replace(told=""))

    async def set_length(self, length: timedelta) -> None:
        self._length = length

    async def restart(self) -> None:
        pass


class HiddenChange(AssertionError):
    """An event was suppressed that had to be told."""


class Noise(AssertionError):
    """An event was told that had to be suppressed, or what was suppressed was miscounted."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as a subscription heard of it, or did not."""

    event: Event
    number: int
    at: datetime
    answer: Answer
    while_off: bool
    alive: bool = True


class Judge:
    """Sees every event and every answer, and holds them against the promise."""

    def __init__(self) -> None:
        self._length = STARTING_LENGTH
        self._accepted: list[Event] = []
        self._heard: dict[str, list[Heard]] = {name: [] for name in SUBSCRIPTIONS}

    def set_length(self, length: timedelta) -> None:
        self._length = length

    def alive(self) -> list[tuple[str, str]]:
        """Subscription and obligation of all that was told and did not die."""
        return [
            (name, each.answer.obligation)
            for name, heard in self._heard.items()
            for each in heard
            if each.answer.told and each.alive
        ]

    def die(self, subscription: str, obligation: str) -> None:
        heard = self._heard[subscription]
        for index, each in enumerate(heard):
            if each.answer.obligation == obligation:
                heard[index] = replace(each, alive=False)

    def accept(self, event: Event, answers: Mapping[str, Answer], at: datetime) -> None:
        """``HiddenChange`` or ``Noise`` where an answer breaks the promise."""
        self._accepted.append(event)
        for name, lowest in SUBSCRIPTIONS.items():
            if (name in answers) != (event.severity >= lowest):
                raise HiddenChange(f"{event} has {'an' if name in answers else 'no'} {name}")
            if name in answers:
                off = self._length == timedelta(0)
                heard = Heard(event, len(self._accepted), at, answers[name], off)
                check = self._check_told if heard.answer.told else self._check_suppressed
                check(self._heard[name], heard)
                self._heard[name].append(heard)

    def _check_suppressed(self, earlier: Sequence[Heard], heard: Heard) -> None:
        event = heard.event
        former = next((e for e in earlier if e.answer.obligation == heard.answer.pointer), None)
        problem = ""
        if former is None or not former.answer.told:
            problem = "points to nothing that was told"
        elif not former.alive:
            problem = "points to what did not arrive"
        elif identity_of(former.event) != identity_of(event):
            problem = "points to another event"
        elif not timedelta(0) <= heard.at - former.at < self._length:
            problem = "comes after the window"
        elif self._has_reason(former, heard):
            problem = "hides a change of its subject"
        elif not event.dedup_key and not self._stands_as_told(earlier, event):
            problem = "is not what was told last of its subject"
        if problem:
            raise HiddenChange(f"{event} was suppressed, and {problem}: {former}")

    def _check_told(self, earlier: Sequence[Heard], heard: Heard) -> None:
        same = [each for each in earlier if identity_of(each.event) == identity_of(heard.event)]
        # What is told while deduplication is off neither opens a window nor ends one.
        opened = [i for i, each in enumerate(same) if each.answer.told and not each.while_off]
        hidden = sum(not each.answer.told for each in same[opened[-1] :]) if opened else 0
        expected = 0 if heard.while_off else hidden
        if heard.answer.suppressed_before != expected:
            count = heard.answer.suppressed_before
            raise Noise(f"{heard.event} was told with {count} suppressed before it, not {expected}")
        if heard.while_off or not opened:
            return
        former = same[opened[-1]]
        if (
            former.alive
            and heard.at - former.at < self._length
            and not self._has_reason(former, heard)
        ):
            raise Noise(f"{heard.event} was told again for no reason: {former}")

    def _has_reason(self, former: Heard, heard: Heard) -> bool:
        """Whether a change calls for telling ``heard`` although ``former`` was told."""
        between = self._accepted[former.number : heard.number]
        subjects = {subject_of(former.event), subject_of(heard.event)}
        return (
            heard.event.severity > former.event.severity
            or heard.event.type.endswith("status-change")
            or any(is_change(former.event, e) for e in between if subject_of(e) in subjects)
        )

    def _stands_as_told(self, earlier: Sequence[Heard], event: Event) -> bool:
        """Whether ``event`` says what was told last of its subject, neutral news aside."""
        told = [
            each.event
            for each in earlier
            if each.answer.told
            and subject_of(each.event) == subject_of(event)
            and (is_neutral(event) or not is_neutral(each.event))
        ]
        return bool(told) and _says(told[-1]) == _says(event)


def subject_of(event: Event) -> tuple[str, str]:
    """What an event is about: its source and its resource."""
    return event.type.split(".", maxsplit=1)[0], event.canonical_resource


def identity_of(event: Event) -> tuple[str, ...]:
    """Equal for events that are identical."""
    if event.dedup_key:
        return ("key", event.dedup_key)
    return (*subject_of(event), event.type, event.severity.label, event.labels[VARIANT])


def is_change(former: Event, other: Event) -> bool:
    """Whether ``other`` contradicts what ``former`` said of the same subject."""
    if _says(former) == _says(other):
        return False
    return is_neutral(former) or not is_neutral(other)


def is_neutral(event: Event) -> bool:
    """Whether it says nothing of how its subject stands."""
    return event.type.endswith(NEUTRAL_WORDS)


def _says(event: Event) -> tuple[str, Severity]:
    return event.type, event.severity
