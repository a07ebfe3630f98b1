"""What nobody would be told of without a target: the gaps that coverage would find then. Pure, but
for ``ask_without``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ibs_notify.console.attempts import attempted
from ibs_notify.console.coverage.hearing import Hearing, looked_at
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import router_service_pb2 as pb

SECONDS = 3.0
"""A page is not kept waiting for the Router any longer."""
MOST_PLACES = 500
"""So many does the Router tell of in one answer."""


Goes = Callable[[pb.HearingSubscription], bool]
"""Whether a subscription goes."""


class Fate(StrEnum):
    """What becomes of the events of a type, by the rules and as targets fare now."""

    AS_BEFORE = "AS_BEFORE"
    """What goes does not tell of it."""
    UNTOLD = "UNTOLD"
    """Nobody is told any more."""
    WAITS = "WAITS"
    """Else only targets tell of it that take nothing now."""
    TOLD_ELSE = "TOLD_ELSE"


@dataclass(frozen=True, slots=True)
class Gap:
    """``types`` that nobody would be told of, the gravest first, about each of ``places``."""

    types: Sequence[str]
    places: Sequence[str]


@dataclass(frozen=True, slots=True)
class Without:
    """``gaps`` are problems that nobody is told of then; ``waiting`` those that else only targets
    tell of that take nothing now. ``routine`` is no problem, and then in the inbox only. ``tells``:
    what goes tells somebody of something. Looked at are the first ``seen`` of ``total`` datastores
    and jobs; ``unknown`` says why none could be.
    """

    gaps: Sequence[Gap] = field(default_factory=tuple)
    waiting: Sequence[Gap] = field(default_factory=tuple)
    routine: Sequence[str] = field(default_factory=tuple)
    tells: bool = False
    seen: int = 0
    total: int = 0
    unknown: str = ""


async def ask_without(visit: Visit, goes: Goes) -> Without:
    """Of all that coverage looks at, as far as one answer has it."""
    page = await attempted(looked_at(visit.within(SECONDS), "", MOST_PLACES))
    if isinstance(page, NotificationError):
        return Without(unknown=page.message)
    return without(page.places, page.total, goes)


def without(places: Sequence[Hearing], total: int, goes: Goes) -> Without:
    """What of ``places`` becomes untold without the subscriptions that go."""
    gaps, waiting, routine = {}, {}, dict[str, None]()
    tells = False
    for place in places:
        fates = [(each, _fate(place, each, goes)) for each in place.types]
        gaps[place.resource] = _problems(fates, Fate.UNTOLD)
        waiting[place.resource] = _problems(fates, Fate.WAITS)
        routine |= {
            each.type: None
            for each, fate in fates
            if fate is Fate.UNTOLD and each.severity < Severity.WARNING
        }
        tells = tells or any(fate is not Fate.AS_BEFORE for _, fate in fates)
    return Without(_by_types(gaps), _by_types(waiting), [*routine], tells, len(places), total)


def _fate(place: Hearing, of: pb.TypeHearing, goes: Goes) -> Fate:
    """What becomes of a type about a place."""
    telling = [
        it
        for it in map(place.subscriptions.__getitem__, of.subscriptions)
        if it.effect == pb.HEARING_EFFECT_TELLS
    ]
    left = [each for each in telling if not goes(each)]
    if len(left) == len(telling):
        return Fate.AS_BEFORE
    if not left:
        return Fate.UNTOLD
    troubled = place.troubled or {}
    tell_now = [each for each in telling if each.target not in troubled]
    return Fate.WAITS if tell_now and all(map(goes, tell_now)) else Fate.TOLD_ELSE


def _problems(fates: Iterable[tuple[pb.TypeHearing, Fate]], wanted: Fate) -> tuple[str, ...]:
    return tuple(
        each.type for each, fate in fates if fate is wanted and each.severity >= Severity.WARNING
    )


def _by_types(found: Mapping[str, tuple[str, ...]]) -> list[Gap]:
    """Places of which the same becomes untold stand together, the most types first."""
    together: dict[tuple[str, ...], list[str]] = {}
    for place, types in found.items():
        if types:
            together.setdefault(types, []).append(place)
    ordered = sorted(together.items(), key=lambda each: (-len(each[0]), each[1]))
    return [Gap(types, places) for types, places in ordered]
