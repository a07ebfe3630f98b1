"""Who hears of a datastore: what the Router says of every type, for a line, a table and a page.

Who is told by the rules is not told now where the target fails or is paused: Delivery knows that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.console import trouble
from ibs_notify.console.targets.health import Standing
from ibs_notify.console.visit import Visit
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SEVERITIES = tuple(sorted(Severity, reverse=True))
_EXAMPLE = "backup.failed"
_TELLS_NOBODY: Mapping[int, str] = {
    pb.HEARING_EFFECT_COUNTS: "counts, and tells nobody",
    pb.HEARING_EFFECT_NO_RECIPIENTS: "no recipient",
    pb.HEARING_EFFECT_TARGET_DISABLED: "disabled",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a subscription hears of the types of a severity.

    ``some`` are those of whose events it hears some and not others. ``gathered`` are those of both
    that its digest gathers.
    """

    heard: Sequence[str]
    missed: Sequence[str]
    some: Sequence[str]
    gathered: Sequence[str]

    @property
    def is_all_gathered(self) -> bool:
        """Whether nothing that it hears of comes at once."""
        return len(self.gathered) == len(self.heard) + len(self.some)


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule that an event must match for a subscription to hear of it, if it is of ``types``."""

    rule: str
    types: Sequence[str]


@dataclass(frozen=True, slots=True)
class Hearer:
    """A line of the table: a subscription that hears of something, by severity.

    ``standing`` is of a target that takes nothing now.
    """

    group: str
    target: str
    effect: int
    cells: Sequence[Cell]
    standing: Standing | None = None
    conditions: Sequence[Condition] = ()

    @property
    def tells(self) -> bool:
        """Whether it tells somebody, by the rules and now."""
        return self.effect == pb.HEARING_EFFECT_TELLS and self.standing is None

    @property
    def counts(self) -> bool:
        """Whether it is a metric server."""
        return self.effect == pb.HEARING_EFFECT_COUNTS

    @property
    def lacks_recipients(self) -> bool:
        return self.effect == pb.HEARING_EFFECT_NO_RECIPIENTS

    @property
    def obstacle(self) -> str:
        """Why it tells nobody; empty where it does."""
        if self.effect != pb.HEARING_EFFECT_TELLS or self.standing is None:
            return _TELLS_NOBODY.get(self.effect, "")
        return "paused" if self.standing.is_paused else "fails"

    @property
    def obstacle_since(self) -> datetime | None:
        """Since when, where that is known."""
        if self.effect != pb.HEARING_EFFECT_TELLS or self.standing is None:
            return None
        return self.standing.since

    @property
    def hears_some_alone(self) -> bool:
        """Whether there is no type of whose every event it hears."""
        return not any(each.heard for each in self.cells)

    @property
    def fails(self) -> bool:
        return self.obstacle == "fails"


@dataclass(frozen=True, slots=True)
class Quiet:
    """A silence in force, and the types that it keeps quiet, whoever hears of them else."""

    silence: pb.Silence
    types: Sequence[str]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Hearing:
    """Of one resource. Unheard is what nobody would be told of, with and without a silence.

    ``troubled`` are the targets that take nothing now, by name; None where that is not known.
    """

    resource: str
    types: Sequence[pb.TypeHearing]
    subscriptions: Sequence[pb.HearingSubscription]
    silences: Sequence[pb.Silence]
    troubled: Mapping[str, Standing] | None = None
    conditions: Sequence[str] = ()

    @property
    def gaps(self) -> Sequence[str]:
        """The errors and worse that nobody is told of, gravest first, as coverage finds them."""
        return self.unheard_of(Severity.ERROR, Severity.CRITICAL)

    @property
    def unheard_warnings(self) -> Sequence[str]:
        return self.unheard_of(Severity.WARNING)

    @property
    def waiting_problems(self) -> Sequence[str]:
        """What somebody is told of by the rules, but only through targets that take nothing now."""
        return self.waiting_of(Severity.WARNING, Severity.ERROR, Severity.CRITICAL)

    @property
    def waiting_errors(self) -> Sequence[str]:
        """The errors and worse of them, as coverage finds them."""
        return self.waiting_of(Severity.ERROR, Severity.CRITICAL)

    @property
    def all_wait(self) -> bool:
        """Whether of all problems that somebody is told of by the rules nobody is told now."""
        told = [each for each in self.types if each.told and each.severity >= Severity.WARNING]
        return bool(told) and len(self.waiting_problems) == len(told)

    @property
    def unheard_problems(self) -> Sequence[str]:
        """With the warnings."""
        return [*self.gaps, *self.unheard_warnings]

    @property
    def routine_in_inbox(self) -> Sequence[str]:
        """What is no problem and meant for nobody: the inbox has it, and no target."""
        in_part = {
            each.type
            for each in self.types
            if any(map(self._is_meant_for_somebody, _places_in_part(each)))
        }
        routine = self._routine
        return [each for each in self.in_inbox_only if each in routine and each not in in_part]

    @property
    def is_routine_in_inbox(self) -> bool:
        """Whether that is all that is no problem."""
        return len(self.routine_in_inbox) == len(self._routine)

    @property
    def in_inbox_only(self) -> Sequence[str]:
        """What is meant for nobody, whether a target works or not."""
        return [
            each.type
            for each in self.types
            if not any(map(self._is_meant_for_somebody, each.subscriptions))
        ]

    @property
    def _routine(self) -> Sequence[str]:
        return [each.type for each in self.types if each.severity < Severity.WARNING]

    @property
    def is_deaf(self) -> bool:
        """Whether nobody is told of any problem."""
        return not any(each.told for each in self.types if each.severity >= Severity.WARNING)

    @property
    def groups(self) -> Sequence[str]:
        """Those that tell somebody of a problem by their rules, by name."""
        return sorted({self.subscriptions[place].group for place in self._telling_of_problems})

    @property
    def groups_now(self) -> Sequence[str]:
        """Those of them by which somebody is told now."""
        telling = filter(self._tells_now, self._telling_of_problems)
        return sorted({self.subscriptions[place].group for place in telling})

    @property
    def groups_of_some(self) -> Sequence[str]:
        """The others by which somebody is told of some problems now, by what else events say."""
        found = {
            self.subscriptions[place].group
            for each in self.types
            if each.severity >= Severity.WARNING
            for place in _places_in_part(each)
            if self._tells_now(place)
        }
        return sorted(found - {*self.groups_now})

    @property
    def some_of_unheard(self) -> Sequence[Hearer]:
        """Those that tell somebody of some of the problems that nobody is told of as such."""
        unheard = {*self.unheard_problems}
        return [
            each
            for each in self.hearers
            if each.tells and any(unheard.intersection(cell.some) for cell in each.cells)
        ]

    @property
    def _telling_of_problems(self) -> Collection[int]:
        return {
            place
            for each in self.types
            if each.severity >= Severity.WARNING
            for place in each.subscriptions
            if self.subscriptions[place].effect == pb.HEARING_EFFECT_TELLS
        }

    @property
    def unreached(self) -> Sequence[Hearer]:
        """Those that hear of something and tell nobody of it, though they are meant to."""
        return [
            each
            for each in self.hearers
            if each.obstacle and not each.counts and not each.hears_some_alone
        ]

    @property
    def quiet(self) -> Sequence[Quiet]:
        """The silences that keep something of it quiet now, heard of or not."""
        return self.quiet_among([each.type for each in self.types])

    @property
    def hearers(self) -> Sequence[Hearer]:
        """By group and target."""
        known = {
            place for each in self.types for place in (*each.subscriptions, *_places_in_part(each))
        }
        found = []
        for place in known:
            it = self.subscriptions[place]
            cells = [self._cell(place, severity) for severity in SEVERITIES]
            standing = (self.troubled or {}).get(it.target)
            conditions = self._conditions(place)
            found.append(Hearer(it.group, it.target, it.effect, cells, standing, conditions))
        return sorted(found, key=lambda each: (each.group, each.target))

    def quiet_among(self, types: Sequence[str]) -> Sequence[Quiet]:
        """The silences that keep any of ``types`` quiet now, each with those."""
        found = []
        for silence in self.silences:
            kept = [
                each.type
                for each in self.types
                if each.type in types and each.silence_id == silence.silence_id
            ]
            if kept:
                found.append(Quiet(silence, kept, len(kept) == len(types)))
        return found

    def told_by(self, group: str) -> Sequence[str]:
        """The types of whose every event ``group`` tells somebody now, the gravest first."""
        return [
            each.type
            for each in self.types
            if any(
                self._tells_now_by(group, place)
                for place in {*each.subscriptions}.difference(_places_in_part(each))
            )
        ]

    def some_told_by(self, group: str) -> Sequence[Condition]:
        """On what else it tells somebody of events of the other types, and of which."""
        told = {*self.told_by(group)}
        return self._conditions(
            *(
                place
                for place in range(len(self.subscriptions))
                if self._tells_now_by(group, place)
            ),
            but=told,
        )

    def unheard_of(self, *severities: int) -> Sequence[str]:
        """What of those severities nobody is told of, the gravest first."""
        return [each.type for each in self.types if not each.told and each.severity in severities]

    def waiting_of(self, *severities: int) -> Sequence[str]:
        """As ``waiting_problems``, of those severities."""
        return [
            each.type
            for each in self.types
            if each.told
            and each.severity in severities
            and not any(map(self._tells_now, each.subscriptions))
        ]

    def untold_now(self, severity: int) -> Sequence[str]:
        """What of that severity nobody is told of now, by the rules or by how targets fare."""
        untold = {*self.unheard_of(severity), *self.waiting_of(severity)}
        return [each.type for each in self.types if each.type in untold]

    def would_help(self, types: Collection[str]) -> frozenset[str]:
        """Groups that would tell somebody of any of ``types``, if the resource were attached."""
        return frozenset(
            it.group
            for each in self.types
            if each.type in types
            for it in map(self.subscriptions.__getitem__, each.out_of_scope)
            if it.effect == pb.HEARING_EFFECT_TELLS
        )

    def _tells_now(self, place: int) -> bool:
        it = self.subscriptions[place]
        return it.effect == pb.HEARING_EFFECT_TELLS and it.target not in (self.troubled or {})

    def _tells_now_by(self, group: str, place: int) -> bool:
        return self.subscriptions[place].group == group and self._tells_now(place)

    def _is_meant_for_somebody(self, place: int) -> bool:
        return self.subscriptions[place].effect != pb.HEARING_EFFECT_COUNTS

    def _cell(self, place: int, severity: int) -> Cell:
        of_it = [each for each in self.types if each.severity == severity]
        some = [each.type for each in of_it if place in _places_in_part(each)]
        heard = [each.type for each in of_it if place in each.subscriptions]
        return Cell(
            [each for each in heard if each not in some],
            [each.type for each in of_it if each.type not in (*heard, *some)],
            some,
            [each.type for each in of_it if place in each.gathered],
        )

    def _conditions(self, *places: int, but: Collection[str] = ()) -> Sequence[Condition]:
        """Of what these places hear of only some, each condition once; ``but`` types aside."""
        found: dict[int, dict[str, None]] = {}
        for each in self.types:
            for it in each.in_part:
                if it.subscription in places and each.type not in but:
                    found.setdefault(it.condition, {})[each.type] = None
        return [Condition(self.conditions[rule], [*types]) for rule, types in found.items()]


def _places_in_part(of: pb.TypeHearing) -> Sequence[int]:
    return [each.subscription for each in of.in_part]


@dataclass(frozen=True, slots=True)
class Page:
    """Of what coverage looks at, which are ``total`` places, by name."""

    places: Sequence[Hearing]
    total: int
    next_token: str

    @property
    def targets_known(self) -> bool:
        """Whether it is known how targets fare."""
        return all(each.troubled is not None for each in self.places)


async def ask(
    visit: Visit, resources: Sequence[str], *, with_out_of_scope: bool = False
) -> Mapping[str, Hearing]:
    """By resource, in the spelling that begins with a slash."""
    request = pb.ListHearingsRequest(resources=resources, with_out_of_scope=with_out_of_scope)
    found, _ = await _asked(visit, request)
    return {each.resource: each for each in found}


async def looked_at(visit: Visit, page_token: str, page_size: int = 0) -> Page:
    """A page of what coverage looks at, of the Router's usual size where it is 0."""
    request = pb.ListHearingsRequest(looked_at=True, page_token=page_token, page_size=page_size)
    found, answer = await _asked(visit, request)
    return Page(found, answer.total_size, answer.next_page_token)


async def _asked(
    visit: Visit, request: pb.ListHearingsRequest
) -> tuple[Sequence[Hearing], pb.ListHearingsResponse]:
    answer, now = await asyncio.gather(
        visit.api.call(visit.api.router.ListHearings, request), trouble.now_or_lately(visit)
    )
    troubled = now.taking_nothing if now is not None else None
    found = [
        Hearing(
            each.resource,
            each.types,
            answer.subscriptions,
            answer.silences,
            troubled,
            answer.conditions,
        )
        for each in answer.resources
    ]
    return found, answer


async def ask_about(visit: Visit, resource: str, *, with_out_of_scope: bool = False) -> Hearing:
    """Of one, in either spelling."""
    found = await ask(visit, [resource], with_out_of_scope=with_out_of_scope)
    (one,) = found.values()
    return one


async def explain(visit: Visit, of: Hearing) -> pb.ExplainResponse:
    """Why who hears, and why not, of the gravest that nobody is told of; else of an example."""
    router, event_type = visit.api.router, next(iter(of.unheard_problems), _EXAMPLE)
    subject = f"{event_type} of {of.resource}"[:1000]
    event = event_pb2.Event(type=event_type, subject=subject, resource=of.resource)
    return await visit.api.call(router.Explain, pb.ExplainRequest(event=event))


def deaf(of: Hearing, answer: pb.ExplainResponse) -> Sequence[pb.SubscriptionExplanation]:
    """The subscriptions that hear of nothing at all, each with why not of the event asked about."""
    hearing = {(each.group, each.target) for each in of.hearers}
    return [each for each in answer.subscriptions if (each.group, each.target) not in hearing]
