"""The configuration, made ready for matching: which routes there are and whom each would tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, InstallationSettings, Scope, Subscription
from ibs_notify.domain.target import SmtpSpec, Target
from ibs_notify.router.dispositions import Reason
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A subscription that may match: its rule compiled, its recipients resolved.

    ``recipients`` are the subscription's, else the target's, else the installation's; empty for
    what is not mail, and where nobody is configured.
    """

    group: str
    target: str
    target_uid: str
    subscription_uid: str
    matches: Callable[[Event], bool]
    recipients: tuple[str, ...] = ()
    is_metric_server: bool = False
    reason: Reason = Reason.RULE_MATCHED


@dataclass(frozen=True, slots=True)
class RoutedGroup:
    """A group with its routes."""

    name: str
    scope: Scope
    attachments: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """One revision of the configuration. Built off the way of events, swapped whole."""

    revision: int
    public_url: str
    groups: tuple[RoutedGroup, ...]
    group_names: frozenset[str]


def build_table(snapshot: Snapshot) -> RoutingTable:
    """The table of a snapshot."""
    targets = {target.name: target for target in snapshot.targets.values()}
    groups = tuple(_routed(group, targets, snapshot.settings) for group in snapshot.groups)
    return RoutingTable(
        revision=snapshot.revision,
        public_url=snapshot.settings.public_url.rstrip("/"),
        groups=groups,
        group_names=frozenset(group.name for group in groups),
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
    return RoutedGroup(group.name, group.scope, group.attachments, tuple(routes))


def _route(
    group: Group, subscription: Subscription, target: Target, settings: InstallationSettings
) -> Route:
    try:
        matches, reason = compile_rule(parse(subscription.rule)), Reason.RULE_MATCHED
    except InvalidArgument as error:
        log.error("group %s, target %s: %s", group.name, target.name, error)
        matches, reason = _every_event, Reason.RULE_UNREADABLE
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
        matches=matches,
        recipients=recipients,
        is_metric_server=target.is_metric_server,
        reason=reason,
    )


def _every_event(_event: Event) -> bool:
    return True
