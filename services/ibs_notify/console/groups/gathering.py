"""From an event that told somebody to a digest that gathers such events: what changes. Pure.

A digest is of a whole group, and gathers whatever its rule matches, errors too: the rule that is
offered here leaves out what is graver than the event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ibs_notify.console.events.alike import Breadth, alike, breadths
from ibs_notify.console.groups.draft import Draft
from ibs_notify.console.wording.words import GATHERED, RECORDED
from ibs_notify.domain.digest_calendar import next_slot, schedule_of
from ibs_notify.domain.group import Digest, Frequency
from ibs_notify.domain.resource import canonical, datastore_of
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1.event_pb2 import SEVERITY_CRITICAL, SEVERITY_ERROR, Event
from ironcore.notification.v1.router_service_pb2 import SubscriptionExplanation

_SILENCED = disposition_pb2.DISPOSITION_STATE_SILENCED


@dataclass(frozen=True, slots=True)
class Choice:
    """How wide the rule may be, in words."""

    breadth: Breadth
    words: str


@dataclass(frozen=True, slots=True)
class Way:
    """A group that brings such events to a target at once."""

    group: str
    target: str


@dataclass(frozen=True, slots=True)
class Gathering:
    """What the form of a group says of it before it is saved.

    ``before`` is the rule of its digest as it stands, empty where it has none; ``added`` is the one
    for events like ``event``. ``gatherers`` are its targets that are told in digests then, those of
    them that are ``deaf`` by their own rules not of this one; ``recorders`` are its metric servers.
    ``is_gathered``: the rule in force gathers such events anyhow.
    ``goes_at`` is when the next digest goes, None where that is not known. ``others`` are what
    other groups send at once, None where that is not known.
    """

    event: Event
    breadth: Breadth
    before: str
    added: str
    gatherers: tuple[str, ...]
    deaf: tuple[str, ...]
    recorders: tuple[str, ...]
    is_gathered: bool
    goes_at: datetime | None
    others: tuple[Way, ...] | None

    @property
    def choices(self) -> list[Choice]:
        """Each with its words; one alone is no choice."""
        found = [Choice(each, _words(self.event, each)) for each in breadths(self.event)]
        return found if len(found) > 1 else []

    @property
    def is_grave(self) -> bool:
        """Whether it is what somebody may have to act on at once."""
        return self.event.severity >= SEVERITY_ERROR

    @property
    def is_critical(self) -> bool:
        return self.event.severity >= SEVERITY_CRITICAL

    @property
    def hearing(self) -> list[str]:
        """The targets that hear of this one, in the digest."""
        return [each for each in self.gatherers if each not in self.deaf]

    @property
    def still_there(self) -> list[Way]:
        """Those by which a target that hears of it here is told at once all the same."""
        return [each for each in self.others or () if each.target in self.hearing]

    @property
    def elsewhere(self) -> list[Way]:
        """Those by which another target is told at once."""
        return [each for each in self.others or () if each.target not in self.hearing]

    @property
    def addition(self) -> str:
        """What is new behind ``before``."""
        return _addition(self.added)

    def fill(self, draft: Draft) -> Draft:
        """The form with the rule in it; as it is where nothing has to be changed."""
        if self.is_gathered:
            return draft
        return replace(draft, has_digest=True, digest_rule=joined(self.before, self.added))


def gathering_of(
    draft: Draft,
    event: Event,
    breadth: str,
    recorders: Collection[str],
    ahead: Sequence[SubscriptionExplanation] | None,
    goes_at: datetime | None,
    *,
    is_gathered: bool = False,
) -> Gathering:
    """``breadth`` as the address has it. ``recorders`` are the names of all metric servers.

    ``ahead`` is what would become of such an event by the rules in force, None where that is not
    known. ``is_gathered``: the rule of the digest, as it stands, matches it.
    """
    names = [each.target for each in draft.rows if each.target]
    gatherers = tuple(each for each in names if each not in recorders)
    own = [each for each in ahead or () if each.group == draft.name]
    hearing = {each.target for each in own if each.disposition.state}
    chosen = _breadth(event, breadth)
    return Gathering(
        event=event,
        breadth=chosen,
        before=draft.digest_rule if draft.has_digest else "",
        added=gathering_rule(event, chosen),
        gatherers=gatherers,
        deaf=tuple(each for each in gatherers if own and each not in hearing),
        recorders=tuple(each for each in names if each in recorders),
        is_gathered=is_gathered,
        goes_at=goes_at,
        others=_others(draft.name, ahead),
    )


def gathering_rule(event: Event, breadth: Breadth) -> str:
    """The rule for events like it that are no graver: what is worse is told as before."""
    like = alike(event, breadth)
    if event.severity >= SEVERITY_CRITICAL:
        return like
    bound = "critical" if event.severity >= SEVERITY_ERROR else "error"
    return f"{like} and severity < {bound}"


def joined(before: str, added: str) -> str:
    """``before`` or ``added``; ``or`` binds loosest, so that ``before`` means what it did."""
    return f"{before} {_addition(added)}" if before.strip() else added


def _addition(added: str) -> str:
    return f"or ({added})"


def next_digest(draft: Draft, now: datetime, zone: str) -> datetime | None:
    """When its digest goes next, as the form has it; ``zone`` is the installation's.

    None of what is no time, which a later release may have.
    """
    try:
        digest = Digest(
            draft.digest_rule,
            Frequency(draft.digest_frequency),
            draft.digest_time,
            draft.digest_weekday,
            draft.digest_time_zone,
        )
        return next_slot(schedule_of(digest, zone), now).at
    except ValueError:
        return None


def _breadth(event: Event, asked: str) -> Breadth:
    """The one that was asked for; else the datastore, else the narrowest that there is."""
    offered = breadths(event)
    wanted = [each for each in offered if each == asked]
    return [*wanted, *(each for each in offered if each is Breadth.DATASTORE), *offered][0]


def _words(event: Event, breadth: Breadth) -> str:
    resource = canonical(event.resource)
    if breadth is Breadth.RESOURCE:
        return f"of {event.resource}"
    if breadth is Breadth.DATASTORE:
        return f"of the datastore {datastore_of(resource)}"
    return "of every resource"


def _others(name: str, ahead: Sequence[SubscriptionExplanation] | None) -> tuple[Way, ...] | None:
    """Not known while a silence hides such events: nobody says how they are sent once it ends."""
    if ahead is None or any(each.disposition.state == _SILENCED for each in ahead):
        return None
    return tuple(
        Way(each.group, each.target)
        for each in ahead
        if each.disposition.state
        and each.disposition.reason not in (GATHERED, RECORDED)
        and each.group != name
    )
