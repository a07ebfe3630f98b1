"""The configuration, made ready for matching: which routes there are and whom each would tell."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings, Scope, Subscription
from ibs_notify.domain.target import SmtpSpec, Target
from ibs_notify.router.digest import Gathers
from ibs_notify.router.dispositions import Reason
from ibs_notify.router.route_index import RouteIndex, ScopedRules
from ibs_notify.rules.ast import Always, Rule
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

log = logging.getLogger(__name__)

ReadRule: TypeAlias = Rule | InvalidArgument
"""A rule, or why its text is none."""


@dataclass(frozen=True, slots=True)
class Route:
    """A subscription that may match: its rule parsed, its recipients resolved.

    ``rule`` is for every event where it cannot be read, which ``reason`` says. ``recipients`` are
    the subscription's, else the target's, else the installation's; empty for
    what is not mail, and where nobody is configured, which ``lacks_recipients`` says.
    ``dedup_window`` is its group's, zero for off. ``route_id`` and ``lane_id`` are the numbers in
    the database of the route and of the queue whose rate limit holds it, 0 until it has them; a
    metric server's lane stays 0: no limit.
    """

    group: str
    target: str
    target_uid: str
    subscription_uid: str
    rule: Rule
    recipients: tuple[str, ...] = ()
    is_metric_server: bool = False
    lacks_recipients: bool = False
    reason: Reason = Reason.RULE_MATCHED
    dedup_window: timedelta = timedelta()
    route_id: int = 0
    lane_id: int = 0
    is_disabled: bool = False
    """Its target is: what is meant for it waits."""
    gathers: Gathers | None = None
    """What the digest of its group gathers; ``None`` where it has none."""
    digest_rule: str = ""
    """The same as it is written."""

    @property
    def digest(self) -> str:
        """The same for the same route, whatever its rule: 32 hex."""
        parts = (self.group, self.target, self.target_uid, self.subscription_uid, *self.recipients)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A target of a later release. What is meant for it is handed over, and waits in Delivery."""

    name: str
    uid: str


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

    ``groups`` are those that hear every event, then those whose scope must be asked, each kind by
    name; ``routes`` are theirs, in this order. ``rules`` are by text: the next revision reads only
    what is new.
    """

    revision: int
    public_url: str
    groups: tuple[RoutedGroup, ...]
    group_names: frozenset[str]
    routes: tuple[Route, ...]
    index: RouteIndex
    rules: Mapping[str, ReadRule] = field(default_factory=dict)
    limits: Mapping[int, int] = field(default_factory=dict)
    """Events a minute, by lane; a lane of a group that is gone is not in here."""
    time_zone: str = "UTC"
    """Of the installation, an IANA name."""

    @classmethod
    def of(cls, revision: int, public_url: str, groups: Iterable[RoutedGroup]) -> RoutingTable:
        """The table of ``groups``, which come by name."""
        ordered = tuple(sorted(groups, key=lambda group: group.scope is not Scope.EVERYTHING))
        return cls(
            revision=revision,
            public_url=public_url,
            groups=ordered,
            group_names=frozenset(group.name for group in ordered),
            routes=_routes(ordered),
            index=RouteIndex([_scoped_rules(group) for group in ordered]),
        )

    @property
    def attachments(self) -> Iterator[str]:
        """What is attached to any group; to several, so many times."""
        return (each for group in self.groups for each in group.attachments)

    def names_decide(self, event: Event) -> bool:
        """Whether ``event`` names groups, and all of them exist."""
        return bool(event.groups) and self.group_names.issuperset(event.groups)

    def hearing(self, event: Event) -> tuple[Route, ...]:
        """The routes that match ``event``, of groups in scope, in the order of ``routes``."""
        routes = self.routes
        found = self.index.matching(event, names_decide=self.names_decide(event))
        return tuple([routes[position] for position in found])


def build_table(snapshot: Snapshot, previous: RoutingTable | None = None) -> RoutingTable:
    """The table of a snapshot. ``previous`` lends the rules that it has read."""
    targets: dict[str, Target | Unreadable] = {
        name: Unreadable(name, uid) for uid, name in snapshot.unreadable.items()
    }
    targets |= {target.name: target for target in snapshot.targets.values()}
    rules = _read_rules(snapshot, previous.rules if previous is not None else {})
    table = RoutingTable.of(
        snapshot.revision,
        snapshot.settings.public_url.rstrip("/"),
        [_routed(group, targets, rules, snapshot.settings) for group in snapshot.groups],
    )
    return replace(table, rules=rules, time_zone=snapshot.settings.time_zone)


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

    groups = tuple(map(number, table.groups))
    return replace(
        table,
        groups=groups,
        routes=_routes(groups),
        limits={group.lane_id: group.rate_limit for group in groups},
    )


def numbers_of(table: RoutingTable) -> Numbers:
    """The numbers that ``table`` was given."""
    return Numbers(
        {route.digest: route.route_id for route in table.routes},
        {group.uid: group.lane_id for group in table.groups},
    )


def _routes(groups: Iterable[RoutedGroup]) -> tuple[Route, ...]:
    return tuple(route for group in groups for route in group.routes)


def _scoped_rules(group: RoutedGroup) -> ScopedRules:
    rules = tuple(route.rule for route in group.routes)
    return ScopedRules(group.name, group.scope, group.attachments, rules)


def _read_rules(snapshot: Snapshot, known: Mapping[str, ReadRule]) -> dict[str, ReadRule]:
    texts = {each.rule for group in snapshot.groups for each in group.subscriptions}
    return {text: known[text] if text in known else _read(text) for text in texts}


def _read(text: str) -> ReadRule:
    try:
        return parse(text)
    except InvalidArgument as error:
        return error.with_traceback(None)  # whose frames would be kept with it


def _routed(
    group: Group,
    targets: Mapping[str, Target | Unreadable],
    rules: Mapping[str, ReadRule],
    settings: InstallationSettings,
) -> RoutedGroup:
    routes = []
    gathers = _gathers(group)
    for subscription in group.subscriptions:
        target = targets.get(subscription.target)
        if target is None:
            log.error("group %s: target %s is unknown here", group.name, subscription.target)
            continue
        rule = rules[subscription.rule]
        route = _route(group, subscription, target, rule, settings)
        if gathers is not None and group.digest is not None:
            route = replace(route, gathers=gathers, digest_rule=group.digest.rule)
        routes.append(route)
    return RoutedGroup(
        group.name,
        group.scope,
        group.attachments,
        tuple(routes),
        group.uid,
        group.rate_limit,
        dedup_window=group.dedup_window,
    )


def _gathers(group: Group) -> Gathers | None:
    if group.digest is None:
        return None
    try:
        return compile_rule(parse(group.digest.rule))
    except InvalidArgument as error:
        log.error("group %s: its digest gathers nothing: %s", group.name, error)
        return None


def _route(
    group: Group,
    subscription: Subscription,
    target: Target | Unreadable,
    rule: ReadRule,
    settings: InstallationSettings,
) -> Route:
    reason = Reason.RULE_MATCHED
    if isinstance(rule, InvalidArgument):
        log.error("group %s, target %s: %s", group.name, target.name, rule)
        rule, reason = Always(), Reason.RULE_UNREADABLE
    route = Route(
        group=group.name,
        target=target.name,
        target_uid=target.uid,
        subscription_uid=subscription.uid,
        rule=rule,
        recipients=subscription.recipients,
        reason=reason,
        dedup_window=group.dedup_window,
    )
    if isinstance(target, Unreadable):
        return route
    recipients: tuple[str, ...] = ()
    if isinstance(target.spec, SmtpSpec):
        recipients = (
            subscription.recipients or target.spec.recipients or settings.default_recipients
        )
    return replace(
        route,
        recipients=recipients,
        is_metric_server=target.is_metric_server,
        lacks_recipients=isinstance(target.spec, SmtpSpec) and not recipients,
        is_disabled=target.disabled,
    )
