"""What is true of every rule: round trips, three evaluators that agree, no stray exception."""

from __future__ import annotations

import fnmatch
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import any_text, events, few_texts, rules

from ibs_notify.domain.event import Event
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Or, Rule
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.evaluate import compile_rule, explain, matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ibs_notify.rules.warn import warnings

WORDS = ["severity", "labels.x", "and", "OR", "not", "(", ")", ",", "*", "=", ">=", "in", "not-in"]
MORE = ["error", "type", "'a b'", '"', "'", "\\", "&&", "starts", "with", "matches", "[", "“", "\n"]


def oracle(rule: Rule, event: Event) -> bool:
    """The meaning of a rule, as short as it can be said."""
    if isinstance(rule, Always):
        return True
    if isinstance(rule, Not):
        return not oracle(rule.part, event)
    if isinstance(rule, And):
        return all(oracle(part, event) for part in rule.parts)
    if isinstance(rule, Or):
        return any(oracle(part, event) for part in rule.parts)
    return oracle_atom(rule, event)


def oracle_atom(atom: Atom, event: Event) -> bool:
    value = atom.values[0]
    if atom.field is Field.SEVERITY:
        order = ["info", "notice", "warning", "error", "critical"]
        mine, rank = order.index(event.severity.name.lower()), order.index(value)
        ordered = {">=": mine >= rank, ">": mine > rank, "<=": mine <= rank, "<": mine < rank}
        if atom.operator.value in ordered:
            return ordered[atom.operator.value]
        text = order[mine]
    elif atom.field is Field.LABEL:
        text = event.labels.get(atom.label, "")
    elif atom.field is Field.RESOURCE:
        text = event.canonical_resource
    else:
        text = str(getattr(event, atom.field.value))
    answers = {
        "=": text == value,
        "!=": text != value,
        "in": text in atom.values,
        "not-in": text not in atom.values,
        "starts-with": text[: len(value)] == value,
        "ends-with": text.endswith(value),
        "contains": text.find(value) >= 0,
        "matches": re.match(fnmatch.translate(value), text) is not None,
        "under": bool(text) and (text + "/").startswith(value.rstrip("/") + "/"),
    }
    return answers[atom.operator.value]


@given(rules(any_text))
def test_the_canonical_text_of_any_rule_reads_back_as_the_same_rule(rule: Rule) -> None:
    text = format_rule(rule)
    assert parse(text) == rule
    assert format_rule(parse(text)) == text


@given(rules(few_texts), events)
@settings(max_examples=300)
def test_all_evaluators_agree_with_the_plainest_one(rule: Rule, event: Event) -> None:
    expected = oracle(rule, event)
    assert matches(rule, event) is expected
    assert compile_rule(rule)(event) is expected
    assert explain(rule, event).holds is expected


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS + MORE)).map(" ".join)))
@settings(max_examples=500)
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    try:
        rule = parse(text)
    except RuleError as error:
        place = error.line, error.column
    else:
        place = 1, 1
        warnings(rule)
        assert parse(format_rule(rule)) == rule
    lines = text.split("\n")
    assert 1 <= place[0] <= len(lines)
    assert 1 <= place[1] <= len(lines[place[0] - 1]) + 1
