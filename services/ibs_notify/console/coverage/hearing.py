"""Who hears of a datastore: what the Router says of every type, for a line, a table and a page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.console.visit import Visit
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

RECORDED = "RECORDED"
"""Why a metric server has an event: it counts it, and tells nobody."""
SEVERITIES = tuple(sorted(Severity, reverse=True))
_EXAMPLE = "backup.failed"
_TELLS_NOBODY: Mapping[int, str] = {
    pb.HEARING_EFFECT_COUNTS: "counts, and tells nobody",
    pb.HEARING_EFFECT_NO_RECIPIENTS: "no recipient",
    pb.HEARING_EFFECT_TARGET_DISABLED: "disabled",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a subscription hears of the types of a severity, and of which its digest gathers any."""

    heard: Sequence[str]
    missed: Sequence[str]
    is_gathered: bool


@dataclass(frozen=True, slots=True)
class Hearer:
    """A line of the table: a subscription that hears of something, by severity."""

    group: str
    target: str
    effect: int
    cells: Sequence[Cell]

    @property
    def tells(self) -> bool:
        return self.effect == pb.HEARING_EFFECT_TELLS

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
        return _TELLS_NOBODY.get(self.effect, "")


@dataclass(frozen=True, slots=True)
class Quiet:
    """A silence in force, and the types that it keeps quiet though somebody hears of them."""

    silence: pb.Silence
    types: Sequence[str]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Hearing:
    """Of one resource. Unheard is what nobody would be told of, with and without a silence."""

    resource: str
    types: Sequence[pb.TypeHearing]
    subscriptions: Sequence[pb.HearingSubscription]
    silences: Sequence[pb.Silence]

    @property
    def gaps(self) -> Sequence[str]:
        """The errors and worse that nobody is told of, gravest first, as coverage finds them."""
        return self.unheard_of(Severity.ERROR, Severity.CRITICAL)

    @property
    def unheard_warnings(self) -> Sequence[str]:
        return self.unheard_of(Severity.WARNING)

    @property
    def unheard_routine(self) -> Sequence[str]:
        return self.unheard_of(Severity.INFO, Severity.NOTICE)

    @property
    def unheard_problems(self) -> Sequence[str]:
        """With the warnings."""
        return [*self.gaps, *self.unheard_warnings]

    @property
    def hears_routine(self) -> bool:
        """Whether somebody is told of any that is no problem."""
        return any(each.told for each in self.types if each.severity < Severity.WARNING)

    @property
    def is_deaf(self) -> bool:
        """Whether nobody is told of any problem."""
        return not any(each.told for each in self.types if each.severity >= Severity.WARNING)

    @property
    def groups(self) -> Sequence[str]:
        """Those that tell somebody of a problem, by name."""
        return sorted(
            {
                it.group
                for each in self.types
                if each.severity >= Severity.WARNING
                for it in map(self.subscriptions.__getitem__, each.subscriptions)
                if it.effect == pb.HEARING_EFFECT_TELLS
            }
        )

    @property
    def unreached(self) -> Sequence[Hearer]:
        """Those that hear of something and tell nobody of it, though they are meant to."""
        return [each for each in self.hearers if each.obstacle and not each.counts]

    @property
    def quiet(self) -> Sequence[Quiet]:
        """The silences that keep something of it quiet now."""
        heard = [each for each in self.types if each.told]
        found = []
        for silence in self.silences:
            types = [each.type for each in heard if each.silence_id == silence.silence_id]
            if types:
                found.append(Quiet(silence, types, len(types) == len(heard)))
        return found

    @property
    def hearers(self) -> Sequence[Hearer]:
        """By group and target."""
        known = {place for each in self.types for place in each.subscriptions}
        found = []
        for place in known:
            it = self.subscriptions[place]
            cells = [self._cell(place, severity) for severity in SEVERITIES]
            found.append(Hearer(it.group, it.target, it.effect, cells))
        return sorted(found, key=lambda each: (each.group, each.target))

    def told_by(self, group: str) -> Sequence[str]:
        """The types that ``group`` tells somebody of, the gravest first."""
        return [
            each.type
            for each in self.types
            if any(
                it.group == group and it.effect == pb.HEARING_EFFECT_TELLS
                for it in map(self.subscriptions.__getitem__, each.subscriptions)
            )
        ]

    def unheard_of(self, *severities: int) -> Sequence[str]:
        """What of those severities nobody is told of, the gravest first."""
        return [each.type for each in self.types if not each.told and each.severity in severities]

    def _cell(self, place: int, severity: int) -> Cell:
        of_it = [each for each in self.types if each.severity == severity]
        return Cell(
            [each.type for each in of_it if place in each.subscriptions],
            [each.type for each in of_it if place not in each.subscriptions],
            any(place in each.gathered for each in of_it),
        )


async def ask(visit: Visit, resources: Sequence[str]) -> Mapping[str, Hearing]:
    """By resource, in the spelling that begins with a slash."""
    router = visit.api.router
    answer = await visit.api.call(router.ListHearings, pb.ListHearingsRequest(resources=resources))
    return {
        each.resource: Hearing(each.resource, each.types, answer.subscriptions, answer.silences)
        for each in answer.resources
    }


async def ask_about(visit: Visit, resource: str) -> Hearing:
    """Of one, in either spelling."""
    (found,) = (await ask(visit, [resource])).values()
    return found


async def explain(visit: Visit, of: Hearing) -> Sequence[pb.ExplainResponse]:
    """Why nobody is told of each problem that nobody is told of; else of an example."""
    router = visit.api.router
    return await asyncio.gather(
        *(
            visit.api.call(router.Explain, _dry_run(each, of.resource))
            for each in of.unheard_problems or [_EXAMPLE]
        )
    )


def _dry_run(event_type: str, resource: str) -> pb.ExplainRequest:
    subject = f"{event_type} of {resource}"[:1000]
    return pb.ExplainRequest(
        event=event_pb2.Event(type=event_type, subject=subject, resource=resource)
    )


def deaf(
    of: Hearing, answers: Iterable[pb.ExplainResponse]
) -> Sequence[pb.SubscriptionExplanation]:
    """The subscriptions that hear of nothing at all, each with why not of the first event asked."""
    hearing = {(each.group, each.target) for each in of.hearers}
    first = next(iter(answers), pb.ExplainResponse())
    return [each for each in first.subscriptions if (each.group, each.target) not in hearing]


def would_help(answers: Iterable[pb.ExplainResponse]) -> frozenset[str]:
    """Groups a rule of which matches what nobody is told of."""
    return frozenset(
        each.group
        for answer in answers
        for each in answer.subscriptions
        if each.rule.holds and not each.hears
    )
