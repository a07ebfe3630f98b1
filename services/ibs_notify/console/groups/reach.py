"""Whether a group reaches anybody now, and what stands in the way of its targets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.console.targets.health import Standing
from ibs_notify.console.targets.words import is_metric_server
from ibs_notify.console.trouble import Trouble
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import Target


@dataclass(frozen=True, slots=True)
class Mark:
    """What is said beside a target's name, as Targets says it. ``stops``: it reaches nobody."""

    word: str
    tone: str
    stops: bool = False
    since: datetime | None = None


NOT_KNOWN = Mark("not known", "")


@dataclass(frozen=True, slots=True)
class Reach:
    """``marks``: by the names of those targets of which there is something to say."""

    marks: Mapping[str, Mark]
    reaches_nobody: bool
    """None of those that are meant to tell somebody does, as far as that is known."""

    def needy_first(self, group: Group) -> Sequence[Subscription]:
        """Of a list that shows only some: nothing that stands in the way is left out."""
        return sorted(group.subscriptions, key=lambda each: each.target not in self.marks)


def reach_of(group: Group, trouble: Trouble | None) -> Reach:
    """``trouble`` is None where nothing is known of any target."""
    if trouble is None:
        unknown = {each.target: NOT_KNOWN for each in group.subscriptions}
        return Reach(unknown, reaches_nobody=False)
    targets = {each.name: each for each in trouble.targets}
    standings = {target.name: it for target, it in trouble.standings}
    marks = {}
    for each in group.subscriptions:
        target = targets.get(each.target)
        mark = _mark(each, target, standings.get(each.target), is_known=not trouble.unknown)
        if mark is not None:
            marks[each.target] = mark
    return Reach(marks, reaches_nobody=_reaches_nobody(group, targets, marks))


def _mark(
    subscription: Subscription, target: Target | None, standing: Standing | None, *, is_known: bool
) -> Mark | None:
    if target is None:
        return NOT_KNOWN
    if target.disabled:
        return Mark("disabled", "warn", stops=True)
    if not is_known:
        return NOT_KNOWN
    if standing is None:
        return None
    if standing.takes_nothing:
        return Mark(standing.word, standing.tone, stops=True, since=standing.since)
    if standing.lacks_recipients:
        # The target lacks them; a group may name its own.
        return None if subscription.recipients else Mark("no recipient", "warn", stops=True)
    return Mark(standing.word, standing.tone)


def _reaches_nobody(group: Group, targets: Mapping[str, Target], marks: Mapping[str, Mark]) -> bool:
    """A metric server reaches nobody; in a group of nothing else one that works is enough."""
    names = [each.target for each in group.subscriptions]
    meant = [each for each in names if not _is_metric_server(targets.get(each))] or names
    return bool(meant) and all(each in marks and marks[each].stops for each in meant)


def _is_metric_server(target: Target | None) -> bool:
    return target is not None and is_metric_server(target)
