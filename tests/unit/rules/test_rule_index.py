"""The index finds what evaluating each rule finds, in the same order, and evaluates few of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import events, few_texts, rules

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.rules import index_build
from ibs_notify.rules.ast import Atom, Field, Operator, Rule, all_of
from ibs_notify.rules.evaluate import Predicate, compile_rule, matches
from ibs_notify.rules.index import RuleIndex
from ibs_notify.rules.normal_form import normal_form
from ibs_notify.rules.parse import parse

ERROR = Event(
    "e",
    "backup.failed",
    Severity.ERROR,
    datetime(2026, 5, 21, tzinfo=UTC),
    summary="no space left",
    actor="user-7",
    canonical_resource="/datastore/a/vm/7",
    labels={"env": "prod"},
)

attached = st.builds(
    lambda paths: Atom(Field.RESOURCE, Operator.UNDER, tuple(paths)),
    st.lists(st.sampled_from(["/", "/a", "/a/b", "/b", "x"]), min_size=2, max_size=3),
)
some_rules = rules(few_texts, attached)


def one_by_one(rules: Sequence[Rule], event: Event) -> list[int]:
    return [position for position, rule in enumerate(rules) if compile_rule(rule)(event)]


@given(some_rules, events)
@settings(max_examples=300)
def test_the_normal_form_of_a_rule_holds_for_the_same_events(rule: Rule, event: Event) -> None:
    assert matches(normal_form(rule), event) is matches(rule, event)


@given(st.lists(some_rules, max_size=40), st.lists(events, min_size=1, max_size=8))
@settings(max_examples=400)
def test_the_index_finds_what_evaluating_each_rule_finds(
    several: list[Rule], about: list[Event]
) -> None:
    index = RuleIndex.build(several)
    for event in about:
        assert list(index.matching(event)) == one_by_one(several, event)


@given(st.lists(some_rules, min_size=5, max_size=40), st.lists(events, min_size=1, max_size=8))
def test_rules_with_a_key_in_common_are_found_by_their_next_key(
    several: list[Rule], about: list[Event]
) -> None:
    by_alice = Atom(Field.ACTOR, Operator.EQ, ("a",))
    several += [all_of((by_alice, rule)) for rule in several]
    with patch.object(index_build, "MOST_LEAVES", 1):
        index = RuleIndex.build(several)
    for event in about:
        assert list(index.matching(event)) == one_by_one(several, event)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[Rule]:
    """Which compiled rules were asked, each time."""
    asked: list[Rule] = []

    def compile_and_tell(rule: Rule) -> Predicate:
        holds = compile_rule(rule)

        def tell(event: Event) -> bool:
            asked.append(rule)
            return holds(event)

        return tell

    monkeypatch.setattr(index_build, "compile_rule", compile_and_tell)
    return asked


@pytest.mark.parametrize(
    "key",
    [
        "actor = user-{n}",
        "actor in (user-{n}, someone-{n})",
        "resource under /datastore/a/vm/{n}",
        "resource starts-with /datastore/a/vm/{n}",
        "resource ends-with /{n}",
        "summary contains 'left {n} of'",
        'subject matches "*VM {n} *"',
        "labels.owner = user-{n}",
        "(actor = user-{n} or task_id = task-{n})",
    ],
)
def test_only_rules_that_need_what_the_event_has_are_evaluated(
    evaluated: list[Rule], key: str
) -> None:
    texts = [f"{key} and not labels.env ends-with t".replace("{n}", f"{n:03}") for n in range(500)]
    index = RuleIndex.build(map(parse, texts))
    event = replace(
        ERROR,
        actor="user-123",
        canonical_resource="/datastore/a/vm/123",
        subject="Backup of VM 123 failed",
        summary="left 123 of 500",
        labels={"owner": "user-123", "env": "prod"},
    )
    assert index.matching(event) == [123]
    assert len(evaluated) <= 2


def test_equal_rules_are_evaluated_once(evaluated: list[Rule]) -> None:
    index = RuleIndex.build([parse("not actor ends-with !automation")] * 1000)
    assert index.matching(ERROR) == list(range(1000))
    assert len(evaluated) == 1


def test_two_spellings_of_one_meaning_are_evaluated_once(evaluated: list[Rule]) -> None:
    texts = [
        "not summary contains x",
        'not summary matches "*x*"',
        "not (not not summary contains x)",
    ]
    index = RuleIndex.build([parse(text) for text in texts])
    assert index.matching(ERROR) == [0, 1, 2]
    assert len(evaluated) == 1


def test_rules_of_type_and_severity_alone_are_evaluated_once_for_each_such_pair(
    evaluated: list[Rule],
) -> None:
    texts = [
        "severity >= error and not type = sync.failed",
        "not type matches 'b*d'",
        "source = sync",
    ]
    index = RuleIndex.build([parse(text) for text in texts])
    assert list(index.matching(ERROR)) == [0]
    evaluated.clear()
    assert list(index.matching(replace(ERROR, actor="another", summary="another"))) == [0]
    assert evaluated == []


def test_a_rule_that_is_found_by_two_of_its_alternatives_counts_once() -> None:
    index = RuleIndex.build(
        [
            parse("severity = info"),
            parse("actor = user-7 or summary contains space or type = backup.failed"),
        ]
    )
    assert list(index.matching(ERROR)) == [1]


def test_a_rule_for_an_absent_label_finds_the_events_without_it() -> None:
    index = RuleIndex.build([parse('labels.team = ""'), parse("labels.team in (a, '')")])
    assert list(index.matching(ERROR)) == [0, 1]
    assert list(index.matching(replace(ERROR, labels={"team": "b"}))) == []


def test_no_rules_match_nothing() -> None:
    assert list(RuleIndex.build([]).matching(ERROR)) == []


def test_whoever_invents_types_and_values_does_not_fill_the_memory() -> None:
    index = RuleIndex.build(
        [parse("severity >= error"), parse("actor starts-with user"), parse("labels.env = prod")]
    )

    def most_after(first: int, last: int) -> int:
        for number in range(first, last):
            name = f"made-{number}"
            index.matching(
                replace(ERROR, type=f"made.{name}", actor=name * 9, labels={"env": name * 9})
            )
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        few = most_after(0, 4_000)
        assert most_after(4_000, 12_000) < 1.1 * few
    finally:
        tracemalloc.stop()
