"""ListHearings: who would hear of what about resources, put to ``hearing``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.resource import canonical
from ibs_notify.router.audience import Audience
from ibs_notify.router.hearing import Effect, TypeHearing, effect_of, hearings_of
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.match import Route, RoutingTable
from ibs_notify.router.silence import Armed, Silence, is_active
from ibs_notify.router.silence_calls import silence_view
from ibs_notify.router.silences import SilenceBook, find_silence
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
        not_over = await self._database.read(lambda c: self._silences.not_over(c, now))
        silences = [each for each in not_over if is_active(each.schedule, now)]
        answer, named = await asyncio.to_thread(self._answer, table, request, silences, now)
        found = await self._database.read(lambda c: _found(c, named))
        answer.silences.extend(silence_view(each, now) for each in found)
        return answer

    def _answer(
        self,
        table: RoutingTable,
        request: pb.ListHearingsRequest,
        silences: Sequence[Armed],
        now: datetime,
    ) -> tuple[pb.ListHearingsResponse, Sequence[str]]:
        """In another thread. What is made ready for one revision serves until the next."""
        audience = self._audience
        if audience is None or audience.table is not table:
            self._audience = audience = Audience(table)
        return _answer(audience, request, silences, now)


def _answer(
    audience: Audience, request: pb.ListHearingsRequest, silences: Sequence[Armed], now: datetime
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

    for given in request.resources:
        resource = canonical(given)
        view = answer.resources.add(resource=resource)
        for each in hearings_of(
            audience, resource, silences, now, with_out_of_scope=request.with_out_of_scope
        ):
            add(view, each)
    answer.conditions.extend(conditions)
    return answer, list(named)


def _found(connection: sa.Connection, ids: Sequence[str]) -> list[Silence]:
    found = (find_silence(connection, each) for each in ids)
    return [each for each in found if each is not None]
