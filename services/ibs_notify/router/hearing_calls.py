"""ListHearings: who would hear of what about resources, put to ``hearing``."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.resource import canonical
from ibs_notify.router import coverage_reads
from ibs_notify.router.audience import Audience
from ibs_notify.router.hearing import Effect, TypeHearing, effect_of, hearings_of
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.silence import Armed, Silence, is_active
from ibs_notify.router.silence_calls import silence_view
from ibs_notify.router.silences import SilenceBook, find_silence
from ibs_notify.rpc.paging import bad_page_token, page_size, page_token, read_page_token
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_RESOURCES: Final = 500
MOST_WITH_OUT_OF_SCOPE: Final = 10
"""Of these more may match than hear: every rule there is."""
_EFFECTS: Final = {
    Effect.TELLS: pb.HEARING_EFFECT_TELLS,
    Effect.COUNTS: pb.HEARING_EFFECT_COUNTS,
    Effect.NO_RECIPIENTS: pb.HEARING_EFFECT_NO_RECIPIENTS,
    Effect.TARGET_DISABLED: pb.HEARING_EFFECT_TARGET_DISABLED,
}
DEFAULT_PAGE_SIZE: Final = 50
LOOKED_AT: Final = "hearings of what coverage looks at"
_BEGINNING: Final = 200
"""So much of a name is in a page token: it travels in addresses, and a name may be longer."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Of what coverage looks at, in order of name, of ``total`` places."""

    places: Sequence[str]
    total: int
    next_token: str = ""


class Hearings:
    """Answers for the configuration and the silences in force."""

    def __init__(self, database: Database, in_force: InForce, clock: Clock) -> None:
        self._database = database
        self._in_force = in_force
        self._clock = clock
        # Its own, since it is read in other threads than the intake's.
        self._silences = SilenceBook()
        self._audience: Audience | None = None

    async def list(self, request: pb.ListHearingsRequest) -> pb.ListHearingsResponse:
        """``InvalidArgument`` for too many resources."""
        most = MOST_WITH_OUT_OF_SCOPE if request.with_out_of_scope else MOST_RESOURCES
        if len(request.resources) > most:
            fault = FieldViolation("resources", f"are {len(request.resources):,}; at most {most}")
            raise InvalidArgument.of([fault])
        table, now = required(self._in_force.table), self._clock.now()
        page = await self._looked_at(table, request) if request.looked_at else None
        resources = request.resources if page is None else page.places
        not_over = await self._database.read(lambda c: self._silences.not_over(c, now))
        silences = [each for each in not_over if is_active(each.schedule, now)]
        beyond = request.with_out_of_scope
        answer, named = await asyncio.to_thread(
            self._answer, table, resources, silences, now, with_out_of_scope=beyond
        )
        found = await self._database.read(lambda c: _found(c, named))
        answer.silences.extend(silence_view(each, now) for each in found)
        if page is not None:
            answer.next_page_token, answer.total_size = page.next_token, page.total
        return answer

    async def _looked_at(self, table: RoutingTable, request: pb.ListHearingsRequest) -> _Page:
        """``InvalidArgument`` also for resources, of which the list is in place."""
        if request.resources:
            fault = FieldViolation("resources", "are given, and looked_at is asked for in place")
            raise InvalidArgument.of([fault])
        most = MOST_WITH_OUT_OF_SCOPE if request.with_out_of_scope else MOST_RESOURCES
        size = page_size(request.page_size, DEFAULT_PAGE_SIZE, most)
        position = read_page_token(LOOKED_AT, request.page_token)
        places, _ = await self._database.read(
            lambda c: coverage_reads.looked_at(c, table.attachments)
        )
        return _page_of(sorted(places), position, size)

    def _answer(
        self,
        table: RoutingTable,
        resources: Sequence[str],
        silences: Sequence[Armed],
        now: datetime,
        *,
        with_out_of_scope: bool,
    ) -> tuple[pb.ListHearingsResponse, Sequence[str]]:
        """In another thread. What is made ready for one revision serves until the next."""
        audience = self._audience
        if audience is None or audience.table is not table:
            self._audience = audience = Audience(table)
        return _answer(audience, resources, silences, now, with_out_of_scope=with_out_of_scope)


def _page_of(places: Sequence[str], position: tuple[str | int, ...] | None, size: int) -> _Page:
    """What comes after ``position``: the beginning of a name, and how many that sort after it."""
    start = 0
    match position:
        case None:
            pass
        case (str(beginning), int(more)):
            start = min(max(0, bisect_right(places, beginning) + more), len(places))
        case _:
            raise bad_page_token()
    shown = places[start : start + size]
    end = start + len(shown)
    if end == len(places):
        return _Page(shown, len(places))
    beginning = shown[-1][:_BEGINNING]
    token = page_token(LOOKED_AT, beginning, end - bisect_right(places, beginning))
    return _Page(shown, len(places), token)


def _answer(
    audience: Audience,
    resources: Sequence[str],
    silences: Sequence[Armed],
    now: datetime,
    *,
    with_out_of_scope: bool,
) -> tuple[pb.ListHearingsResponse, list[str]]:
    """All but the silences, whose ids come beside it."""
    answer = pb.ListHearingsResponse(revision=audience.table.revision)
    places: dict[tuple[str, str], int] = {}
    conditions: dict[str, int] = {}
    named: dict[str, None] = {}

    def place_of(route: Route) -> int:
        key = route.group, route.target
        if key not in places:
            places[key] = len(places)
            effect = _EFFECTS[effect_of(route)]
            answer.subscriptions.add(group=route.group, target=route.target, effect=effect)
        return places[key]

    def add(view: pb.ResourceHearing, each: TypeHearing) -> None:
        view.types.add(
            type=each.type.name,
            severity=each.type.severity.value,
            told=each.is_told,
            subscriptions=map(place_of, each.routes),
            gathered=map(place_of, each.gathered),
            silence_id=each.silence_id,
            out_of_scope=map(place_of, each.out_of_scope),
            in_part=[
                pb.PartialHearing(
                    subscription=place_of(it.route),
                    condition=conditions.setdefault(it.condition, len(conditions)),
                )
                for it in each.in_part
            ],
        )
        if each.silence_id:
            named[each.silence_id] = None

    for given in resources:
        resource = canonical(given)
        view = answer.resources.add(resource=resource)
        for each in hearings_of(
            audience, resource, silences, now, with_out_of_scope=with_out_of_scope
        ):
            add(view, each)
    answer.conditions.extend(conditions)
    return answer, list(named)


def _found(connection: sa.Connection, ids: Sequence[str]) -> list[Silence]:
    found = (find_silence(connection, each) for each in ids)
    return [each for each in found if each is not None]
