"""Who hears of only some: "nothing" is said of a group only where no event can reach it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import events, few_texts, rules

from ibs_notify.domain.catalogue import ABOUT_DATASTORES
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Digest, Group, Scope, Subscription
from ibs_notify.domain.target import PushgatewaySpec, Target, WebhookSpec
from ibs_notify.router.audience import Audience
from ibs_notify.router.hearing import TypeHearing, hearings_of
from ibs_notify.router.match import RoutingTable, build_table
from ibs_notify.router.scope import who_hears
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.evaluate import matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ibs_notify.snapshot.model import Snapshot

NOW = datetime(2026, 5, 21, tzinfo=UTC)
TANK = "/datastore/tank"
TARGETS = {
    "u-chat": Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/")),
    "u-gauge": Target("gauge", "u-gauge", PushgatewaySpec("http://127.0.0.1/")),
}


def table(*groups: Group) -> RoutingTable:
    return build_table(Snapshot(1, targets=TARGETS, groups=groups))


def group(
    rule: str,
    name: str = "g",
    target: str = "chat",
    digest: Digest | None = None,
    attachments: tuple[str, ...] = (),
) -> Group:
    found = Group(name, f"u-{name}", subscriptions=(Subscription(f"s-{name}", target, rule),))
    scope = Scope.ATTACHED if attachments else Scope.EVERYTHING
    return replace(found, digest=digest, scope=scope, attachments=attachments)


def heard(*groups: Group, event_type: str = "backup.warning") -> TypeHearing:
    found = hearings_of(Audience(table(*groups)), TANK, (), NOW)
    return next(each for each in found if each.type.name == event_type)


def conditions(of: TypeHearing) -> list[str]:
    return [each.condition for each in of.in_part]


attached = st.sampled_from([(), ("/a",), ("/a/b", "/a/c"), ("/b",)])
abouts = st.sampled_from(["/a", "/a/b", "/a/b/c", "/a/d"])


@given(
    st.lists(st.tuples(rules(few_texts), attached), min_size=1, max_size=4),
    events,
    abouts,
    st.data(),
)
@settings(max_examples=100)
def test_whoever_is_told_of_an_event_was_never_said_to_hear_nothing(
    made: list[tuple[Rule, tuple[str, ...]]],
    event: Event,
    resource: str,
    data: st.DataObject,
) -> None:
    of_type = data.draw(st.sampled_from(ABOUT_DATASTORES))
    routing = table(
        *(
            group(format_rule(rule), f"g{number}", attachments=attachments)
            for number, (rule, attachments) in enumerate(made)
        )
    )
    came = replace(
        event,
        type=of_type.name,
        severity=of_type.severity,
        resource=resource,
        canonical_resource=resource,
    )
    told = {each.group for each in who_hears(routing, came).routes}
    for place in ("/a", "/a/b"):
        if resource == place or resource.startswith(f"{place}/"):
            found = hearings_of(Audience(routing), place, (), NOW)
            (said,) = [each for each in found if each.type == of_type]
            some = {each.route.group: each.condition for each in said.in_part}
            every = {each.group for each in said.routes} - some.keys()
            assert told <= every | some.keys()
            assert every <= told
            for name, condition in some.items():
                assert matches(parse(condition), came) is (name in told)


def test_a_rule_that_asks_for_an_actor_hears_of_some() -> None:
    nightly = group('actor matches "*!nightly" and severity >= warning')
    found = heard(nightly)
    assert not found.routes
    assert not found.is_told  # of coverage: a rule that hears of some is no cover
    assert conditions(found) == ["actor matches *!nightly"]
    assert not heard(nightly, event_type="backup.completed").in_part


def test_who_hears_of_a_bare_event_and_not_of_every_other_hears_of_some() -> None:
    found = heard(group("actor != root and type = backup.warning"))
    assert found.is_told
    assert conditions(found) == ["actor != root"]


def test_who_has_a_part_of_it_attached_hears_of_some() -> None:
    parts = f"{TANK}/production", "/datastore/b"
    assert conditions(heard(group("*", attachments=parts))) == [f"resource under {TANK}/production"]
    # What the rule wants is no part of what is attached.
    assert not conditions(heard(group(f"resource under {TANK}/test", attachments=parts)))
    assert not conditions(heard(group("*", attachments=(TANK,))))


def test_nothing_is_gathered_for_a_metric_server() -> None:
    plan = Digest(rule="*")
    assert not heard(group("*", target="gauge", digest=plan)).gathered
    assert heard(group("*", digest=plan)).gathered
    assert heard(group("actor = ann", digest=plan)).gathered
