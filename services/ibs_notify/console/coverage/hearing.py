"""Who hears of a datastore: dry runs of typical events about it, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ibs_notify.console.visit import Visit
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1.router_service_pb2 import (
    ExplainRequest,
    ExplainResponse,
    SubscriptionExplanation,
)

TYPICAL = (
    "backup.completed",
    "datastore.pruned",
    "datastore.free-space",
    "backup.failed",
    "verify.corrupt",
)
"""An event of each severity that datastores have, for the question who hears of it."""
GRAVE = TYPICAL[2:]
"""Those of them that somebody should hear of: a warning, an error, something critical."""
RECORDED = "RECORDED"
"""Why a metric server has an event: it counts it, and tells nobody."""


@dataclass(frozen=True, slots=True)
class Hearer:
    """A line of the matrix: what one subscription does with an event of each severity."""

    group: str
    target: str
    cells: Sequence[SubscriptionExplanation]

    @property
    def hears(self) -> bool:
        return any(each.hears for each in self.cells)


async def ask(visit: Visit, resource: str, types: Sequence[str]) -> Sequence[ExplainResponse]:
    """What would become of an event of each of ``types`` about ``resource``."""
    router = visit.api.router
    return await asyncio.gather(
        *(visit.api.call(router.Explain, _dry_run(each, resource)) for each in types)
    )


def _dry_run(event_type: str, resource: str) -> ExplainRequest:
    subject = f"{event_type} of {resource}"[:1000]
    return ExplainRequest(
        event=event_pb2.Event(type=event_type, subject=subject, resource=resource)
    )


def matrix(answers: Sequence[ExplainResponse]) -> Sequence[Hearer]:
    """Each answer has the same subscriptions in the same order, unless they changed meanwhile."""
    cells: dict[tuple[str, str], list[SubscriptionExplanation]] = {}
    for answer in answers:
        for each in answer.subscriptions:
            cells.setdefault((each.group, each.target), []).append(each)
    return [
        Hearer(group, target, found)
        for (group, target), found in sorted(cells.items())
        if len(found) == len(answers)
    ]


def is_told(each: SubscriptionExplanation) -> bool:
    """Whether somebody is told, now or as part of something else; a metric server only counts."""
    return each.hears and each.disposition.reason != RECORDED


def unheard(answers: Iterable[ExplainResponse]) -> Sequence[event_pb2.Event]:
    """What of the grave events nobody is told of."""
    return [
        answer.event
        for answer in answers
        if answer.event.severity >= Severity.WARNING and not any(map(is_told, answer.subscriptions))
    ]


def told(answers: Iterable[ExplainResponse]) -> Sequence[str]:
    """The groups that tell somebody of a grave event, by name."""
    return sorted(
        {
            each.group
            for answer in answers
            if answer.event.severity >= Severity.WARNING
            for each in answer.subscriptions
            if is_told(each)
        }
    )


def would_help(answers: Iterable[ExplainResponse]) -> frozenset[str]:
    """Groups a rule of which matches something grave that nobody is told of."""
    found = list(answers)
    deaf_to = {each.type for each in unheard(found)}
    return frozenset(
        each.group
        for answer in found
        if answer.event.type in deaf_to
        for each in answer.subscriptions
        if each.rule.holds and not each.hears
    )
