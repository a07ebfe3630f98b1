"""GetCoverage: what was seen, what is configured and how targets fare, put to ``coverage``."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, from_micros
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.resource import datastore_of
from ibs_notify.domain.severity import Severity
from ibs_notify.router import coverage, coverage_reach, coverage_reads
from ibs_notify.router.coverage import Finding, Gap, Place
from ibs_notify.router.coverage_reach import Trouble
from ibs_notify.router.coverage_silences import Hiding, hiding
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.match import RoutingTable
from ibs_notify.router.ports import DeliveryAnswers, TargetHealth
from ibs_notify.router.silence import Silence
from ibs_notify.router.silence_calls import silence_view
from ibs_notify.router.silences import list_silences
from ibs_notify.router.since import first_since, moment_of
from ibs_notify.router.standing import at
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

SINCE = timedelta(days=7)
MOST_TARGETS = 500
_KINDS = {
    Gap.UNHEARD_ALARM: pb.COVERAGE_KIND_UNHEARD_ALARM,
    Gap.UNHEARD_CRITICAL_TYPE: pb.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE,
    Gap.UNREACHABLE_GROUP: pb.COVERAGE_KIND_UNREACHABLE_GROUP,
    Gap.WAITING_ERROR: pb.COVERAGE_KIND_WAITING_ERROR,
    Gap.UNHEARD_RESOURCE: pb.COVERAGE_KIND_UNHEARD_RESOURCE,
    Gap.UNHEARD_PROBLEM: pb.COVERAGE_KIND_UNHEARD_PROBLEM,
    Gap.UNHEARD_ERROR_TYPE: pb.COVERAGE_KIND_UNHEARD_ERROR_TYPE,
    Gap.IDLE_RULE: pb.COVERAGE_KIND_IDLE_RULE,
}


_ByType: TypeAlias = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is to look at, from the event ``begin`` on, which came ``since`` at the earliest.

    ``critical`` and ``errors``: how many events of a type about a place nobody was told of.
    """

    since: datetime
    begin: int
    places: Sequence[str]
    critical: _ByType
    errors: _ByType
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Held:
    """Which subscriptions, by uid, matched any of the events that rules were held against.

    ``is_all``: of those that were asked about none was left out.
    """

    matched: set[str]
    examined: int
    is_all: bool


class Coverage:
    """Looks for gaps."""

    def __init__(
        self, database: Database, in_force: InForce, delivery: DeliveryAnswers, clock: Clock
    ) -> None:
        self._database = database
        self._in_force = in_force
        self._delivery = delivery
        self._clock = clock

    async def find(self, request: pb.GetCoverageRequest) -> pb.GetCoverageResponse:
        """Everything that is found, the gravest first; what was bounded is a warning."""
        table, now = required(self._in_force.table), self._clock.now()
        since = moment_of(request, now - SINCE)
        # What a target that is disabled now was sent before had been told.
        mute = [r.route_id for r in table.routes if r.is_metric_server or r.lacks_recipients]
        seen = await self._database.read(lambda c: _see(c, table, since, mute))
        held = await self._held_against(table, seen.begin)
        untold = await asyncio.to_thread(coverage.untold_places, table, seen.places, now)
        unheard = await self._database.read(lambda c: _look_closer(c, untold, seen.begin, mute))
        troubles, warnings = await self._troubles(table)
        findings = await asyncio.to_thread(_find, table, seen, held, untold, unheard, troubles, now)
        hidden, silences = await self._database.read(lambda c: _silences(c, seen.begin, now))
        came = {Severity.CRITICAL: seen.critical, Severity.ERROR: seen.errors}
        quiet = await asyncio.to_thread(hiding, silences, came, hidden, now)
        response = pb.GetCoverageResponse(
            silences=[_silence(each, now) for each in quiet],
            resource_count=len(seen.places),
            rule_count=sum(1 for _ in table.routes),
            warnings=[
                *coverage.unknown_places(table, seen.places, now),
                *seen.warnings,
                *_left_out(held),
                *warnings,
            ],
        )
        for kind in findings:
            response.findings.extend(map(_view, kind[: coverage.MOST_OF_A_KIND]))
            if len(kind) > coverage.MOST_OF_A_KIND:
                more = len(kind) - coverage.MOST_OF_A_KIND
                response.warnings.append(f"{more:,} more of {kind[0].gap} are not listed")
        return response

    async def _held_against(self, table: RoutingTable, first_seq: int) -> _Held:
        """Until each rule has matched something, or so much was unpacked as is at most."""
        read = self._database.read
        begin, examined = await read(lambda c: coverage_reads.examined_from(c, first_seq))
        matched = await read(lambda c: coverage_reads.rules_matched(c, begin))
        subscriptions = {each.subscription_uid for each in table.routes}
        if not subscriptions <= matched:
            newest = await read(lambda c: coverage_reads.newest_bodies(c, begin))
            matched |= await asyncio.to_thread(_matched_anew, table, newest)
        unpacked, before = 0, None
        while not (before == 0 or subscriptions <= matched):
            if unpacked >= coverage_reads.MOST_UNPACKED:
                return _Held(matched, examined, is_all=False)
            look = partial(coverage_reads.packed_matches, begin=begin, before=before)
            part = await read(look)
            matched |= part.uids
            unpacked, before = unpacked + part.count, part.before
        return _Held(matched, examined, is_all=begin == first_seq)

    async def _troubles(self, table: RoutingTable) -> tuple[dict[str, Trouble], list[str]]:
        """The targets that reach nobody, by uid."""
        routes = {each.target_uid: each for each in table.routes}
        troubles = {
            uid: Trouble(each.target, "is disabled")
            for uid, each in routes.items()
            if each.is_disabled
        }
        asked = [uid for uid in routes if uid not in troubles]
        warnings = []
        if len(asked) > MOST_TARGETS:
            warnings.append(f"how {len(asked) - MOST_TARGETS:,} targets fare was not asked")
        try:
            healths = await self._delivery.target_healths(asked[:MOST_TARGETS])
        except NotificationError as error:
            return troubles, [*warnings, f"how the targets fare is not known: {error}"]
        for uid, health in healths.items():
            problem = _problem(health)
            if problem:
                troubles[uid] = Trouble(routes[uid].target, problem)
        return troubles, warnings


def _matched_anew(table: RoutingTable, bodies: Sequence[tuple[int, bytes]]) -> set[str]:
    """The subscriptions, by uid, that would hear of any of these events, were they sent now."""
    found: set[str] = set()
    for received_at, body in bodies:
        message = event_pb2.Event.FromString(body)
        event, _ = event_from_proto(message, from_micros(received_at))
        found.update(each.subscription_uid for each in table.hearing(event))
    return found


def _problem(health: TargetHealth) -> str:
    if health.paused_reason:
        return f"is paused ({health.paused_reason})"
    if health.failing_since is not None:
        last = f": {health.last_failure}" if health.last_failure else ""
        return f"fails since {at(health.failing_since)}{last}"
    return ""


def _see(
    connection: sa.Connection, table: RoutingTable, since: datetime, mute: Collection[int]
) -> _Seen:
    begin = first_since(connection, since)
    places, is_cut = coverage_reads.looked_at(connection, table.attachments)
    warnings = []
    if is_cut:
        warnings.append(f"only {coverage_reads.MOST_PLACES:,} datastores and jobs were looked at")
    critical, errors = (
        coverage_reads.types_of(connection, severity, begin, mute)
        for severity in (Severity.CRITICAL, Severity.ERROR)
    )
    return _Seen(since, begin, places, critical, errors, warnings)


def _left_out(held: _Held) -> list[str]:
    if held.is_all:
        return []
    return [f"rules were held against the newest events only, {held.examined:,} at most"]


def _look_closer(
    connection: sa.Connection, untold: Sequence[str], begin: int, mute: Collection[int]
) -> list[Place]:
    """The places that nobody heard of; of one that is, what is below it is not looked at."""
    unheard: dict[str, Place] = {}
    for name in untold:
        if unheard.keys().isdisjoint(coverage.parents_of(name)):
            place = coverage_reads.place_of(connection, name, begin, mute)
            if not place.was_heard:
                unheard[name] = place
    return list(unheard.values())


def _find(
    table: RoutingTable,
    seen: _Seen,
    held: _Held,
    untold: Sequence[str],
    unheard: Sequence[Place],
    troubles: Mapping[str, Trouble],
    now: datetime,
) -> list[list[Finding]]:
    """By kind, the gravest first."""
    places = coverage.unheard_places(unheard)
    names = {datastore_of(each) for each in seen.places} - {""}
    whole = {each.subject for each in places}
    datastores = {f"/datastore/{name}" for name in names} - whole
    critical, errors = _but_for(whole, seen.critical), _but_for(whole, seen.errors)
    return [
        coverage.unheard_alarms(table, now),
        coverage.unheard_critical_types(table, critical, datastores, now),
        coverage_reach.unreachable_groups(table.groups, troubles),
        coverage_reach.waiting_errors(table, datastores.union(seen.places), troubles, now),
        places,
        coverage.unheard_problems(table, datastores, untold, seen.since, now),
        coverage.unheard_error_types(table, errors, now),
        coverage.idle_rules(table.routes, held.matched, held.examined),
    ]


def _but_for(whole: set[str], seen: _ByType) -> _ByType:
    """Of a place that nobody hears of at all, that is said, and not each thing again."""
    return {
        event_type: {place: count for place, count in came.items() if place not in whole}
        for event_type, came in seen.items()
        if not whole.issuperset(came)
    }


def _silences(
    connection: sa.Connection, begin: int, now: datetime
) -> tuple[Mapping[str, int], list[Silence]]:
    """What they hid, by id, and those that are not over."""
    hidden = coverage_reads.hidden_by_silences(connection, begin)
    most = coverage_reads.MOST_SILENCED
    return hidden, list_silences(connection, now, include_expired=False, before=None, limit=most)


def _silence(each: Hiding, now: datetime) -> pb.CoverageSilence:
    return pb.CoverageSilence(
        silence=silence_view(each.silence, now), types=each.types, event_count=each.event_count
    )


def _view(each: Finding) -> pb.CoverageFinding:
    return pb.CoverageFinding(
        kind=_KINDS[each.gap],
        subject=each.subject,
        sentence=each.sentence,
        advice=each.advice,
        event_count=each.event_count,
    )
