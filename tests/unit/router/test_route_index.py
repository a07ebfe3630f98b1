"""One look at the index finds what asking each group for its scope and each rule would find."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import events, few_texts, rules

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.router.match import Numbers, Route, RoutedGroup, RoutingTable, numbered
from ibs_notify.router.scope import IN_SCOPE, scope_reason, who_hears
from ibs_notify.rules.evaluate import matches

NAMES = ("a", "b", "c", "d")
paths = st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"])


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    return RoutingTable.of(1, "", [draw(groups(name)) for name in NAMES])


@st.composite
def groups(draw: st.DrawFn, name: str) -> RoutedGroup:
    scope = draw(st.sampled_from(Scope))
    return RoutedGroup(
        name,
        scope,
        tuple(draw(st.lists(paths, max_size=3))) if scope is Scope.ATTACHED else (),
        tuple(
            Route(name, "chat", "u", f"{name}-{number}", rule)
            for number, rule in enumerate(draw(st.lists(rules(few_texts), max_size=3)))
        ),
    )


about = st.builds(
    lambda event, path, names: replace(event, canonical_resource=path, groups=tuple(names)),
    events,
    st.one_of(paths, few_texts),
    st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=3),
)


def asking_each(table: RoutingTable, event: Event) -> tuple[Route, ...]:
    names_decide = bool(event.groups) and set(event.groups) <= set(NAMES)
    return tuple(
        each
        for group in table.groups
        if scope_reason(group, event, names_decide=names_decide) in IN_SCOPE
        for each in group.routes
        if matches(each.rule, event)
    )


@given(tables(), st.lists(about, min_size=1, max_size=8))
@settings(max_examples=150)
def test_routing_finds_what_asking_each_group_and_rule_finds(
    table: RoutingTable, several: list[Event]
) -> None:
    for event in several:
        assert who_hears(table, event).routes == asking_each(table, event)


@given(tables())
@settings(max_examples=20)
def test_numbering_the_routes_keeps_the_index(table: RoutingTable) -> None:
    routes = {each.digest: number for number, each in enumerate(table.routes, 1)}
    result = numbered(table, Numbers(routes, {"": 1}))
    assert result.index is table.index
    assert [each.route_id for each in result.routes] == [
        routes[each.digest] for each in table.routes
    ]
    assert [each for group in result.groups for each in group.routes] == list(result.routes)
