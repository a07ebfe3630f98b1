"""The configuration, made ready for matching: which routes there are and whom each would tell."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings, Scope, Subscription
from ibs_notify.domain.target import SmtpSpec, Target
from ibs_notify.router.dispositions import Reason
from ibs_notify.rules.ast import Always, Rule
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

log = logging.getLogger(__name__)

EVERY_EVENT: Final = Always()


@dataclass(frozen=True, slots=True)
class Route:
    """A subscription that may match: its rule compiled, its recipients resolved.

    ``recipients`` are the subscription's, else the target's, else the installation's; empty for
    what is not mail, and where nobody is configured, which ``lacks_recipients`` says.
    ``dedup_window`` is its group's, zero for off. ``route_id`` and ``lane_id`` are the numbers in
    the database of the route and of the queue whose rate limit holds it, 0 until it has them; a
    metric server's lane stays 0: no limit.
    """

    group: str
    target: str
    target_uid: str
    subscription_uid: str
    matches: Callable[[Event], bool]
    recipients: tuple[str, ...] = ()
    is_metric_server: bool = False
    lacks_recipients: bool = False
    reason: Reason = Reason.RULE_MATCHED
    dedup_window: timedelta = timedelta()
    route_id: int = 0
    lane_id: int = 0
    rule: Rule = EVERY_EVENT
    """What ``matches`` was made of; every event where it cannot be read."""
    is_disabled: bool = False
    """Its target is: what is meant for it waits."""

    @property
    def digest(self) -> str:
        """The same for the same route, whatever its rule: 32 hex."""
        parts = (self.group, self.target, self.target_uid, self.subscription_uid, *self.recipients)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class RoutedGroup:
    """A group with its routes. ``rate_limit`` is events a minute, 0 for none."""

    name: str
    scope: Scope
    attachments: tuple[str, ...]
    routes: tuple[Route, ...]
    uid: str = ""
    rate_limit: int = 0
    lane_id: int = 0
    dedup_window: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the database calls them: routes by digest, queues by their group's uid."""

    routes: Mapping[str, int]
    lanes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """One revision of the configuration. Built off the way of events, swapped whole.

    ``everything`` are the groups that hear every event, ``particular`` those whose scope must be
    asked; both by name.
    """

    revision: int
    public_url: str
    everything: tuple[RoutedGroup, ...]
    particular: tuple[RoutedGroup, ...]
    group_names: frozenset[str]
    limits: Mapping[int, int] = field(default_factory=dict)
    """Events a minute, by lane; a lane of a group that is gone is not in here."""
    time_zone: str = "UTC"
    """Of the installation, an IANA name."""

    @property
    def groups(self) -> tuple[RoutedGroup, ...]:
        """All groups."""
        return (*self.everything, *self.particular)

    @property
    def routes(self) -> Iterator[Route]:
        """All routes of all groups."""
        return (route for group in self.groups for route in group.routes)

    def names_decide(self, event: Event) -> bool:
        """Whether ``event`` names groups, and all of them exist."""
        return bool(event.groups) and self.group_names.issuperset(event.groups)


def build_table(snapshot: Snapshot) -> RoutingTable:
    """The table of a snapshot."""
    targets = {target.name: target for target in snapshot.targets.values()}
    groups = tuple(_routed(group, targets, snapshot.settings) for group in snapshot.groups)
    return RoutingTable(
        revision=snapshot.revision,
        public_url=snapshot.settings.public_url.rstrip("/"),
        everything=tuple(group for group in groups if group.scope is Scope.EVERYTHING),
        particular=tuple(group for group in groups if group.scope is not Scope.EVERYTHING),
        group_names=frozenset(group.name for group in groups),
        time_zone=snapshot.settings.time_zone,
    )


def numbered(table: RoutingTable, numbers: Numbers) -> RoutingTable:
    """The table with the numbers that the database has for its routes and groups."""

    def number(group: RoutedGroup) -> RoutedGroup:
        lane = numbers.lanes[group.uid]
        routes = tuple(
            replace(
                each,
                route_id=numbers.routes[each.digest],
                lane_id=0 if each.is_metric_server else lane,
            )
            for each in group.routes
        )
        return replace(group, routes=routes, lane_id=lane)

    everything = tuple(map(number, table.everything))
    particular = tuple(map(number, table.particular))
    return replace(
        table,
        everything=everything,
        particular=particular,
        limits={group.lane_id: group.rate_limit for group in (*everything, *particular)},
    )


def _routed(
    group: Group, targets: dict[str, Target], settings: InstallationSettings
) -> RoutedGroup:
    routes = []
    for subscription in group.subscriptions:
        target = targets.get(subscription.target)
        if target is None:
            log.error("group %s: target %s is unknown here", group.name, subscription.target)
            continue
        routes.append(_route(group, subscription, target, settings))
    return RoutedGroup(
        group.name,
        group.scope,
        group.attachments,
        tuple(routes),
        group.uid,
        group.rate_limit,
        dedup_window=group.dedup_window,
    )


def _route(
    group: Group, subscription: Subscription, target: Target, settings: InstallationSettings
) -> Route:
    rule: Rule = EVERY_EVENT
    reason = Reason.RULE_MATCHED
    try:
        rule = parse(subscription.rule)
    except InvalidArgument as error:
        log.error("group %s, target %s: %s", group.name, target.name, error)
        reason = Reason.RULE_UNREADABLE
    recipients: tuple[str, ...] = ()
    if isinstance(target.spec, SmtpSpec):
        recipients = (
            subscription.recipients or target.spec.recipients or settings.default_recipients
        )
    return Route(
        group=group.name,
        target=target.name,
        target_uid=target.uid,
        subscription_uid=subscription.uid,
        matches=compile_rule(rule),
        recipients=recipients,
        is_metric_server=target.is_metric_server,
        lacks_recipients=isinstance(target.spec, SmtpSpec) and not recipients,
        reason=reason,
        dedup_window=group.dedup_window,
        rule=rule,
        is_disabled=target.disabled,
    )
