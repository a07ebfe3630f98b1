"""What is true of every rule: round trips, three evaluators that agree, no stray exception."""

from __future__ import annotations

import fnmatch
import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule, all_of, any_of
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.evaluate import compile_rule, explain, matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ibs_notify.rules.warn import warnings

WORDS = ["severity", "labels.x", "and", "OR", "not", "(", ")", ",", "*", "=", ">=", "in", "not-in"]
MORE = ["error", "type", "'a b'", '"', "'", "\\", "&&", "starts", "with", "matches", "[", "“", "\n"]
ORDERED = (Operator.GE, Operator.GT, Operator.LE, Operator.LT)
LISTS = (Operator.IN, Operator.NOT_IN)

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
few_texts = st.sampled_from(["", "a", "b", "ab", "a.b", "backup.failed", "a b", "/a/b", "/a"])
severities = st.sampled_from([each.label for each in Severity])


def values_for(
    operator: Operator, value: st.SearchStrategy[str]
) -> st.SearchStrategy[tuple[str, ...]]:
    most = 3 if operator in LISTS else 1
    return st.lists(value, min_size=1, max_size=most).map(tuple)


@st.composite
def atoms(draw: st.DrawFn, value: st.SearchStrategy[str]) -> Atom:
    field = draw(st.sampled_from(Field))
    if field is Field.SEVERITY:
        operator = draw(st.sampled_from([Operator.EQ, Operator.NE, *LISTS, *ORDERED]))
        return Atom(field, operator, draw(values_for(operator, severities)))
    operators = [each for each in Operator if each not in (*ORDERED, Operator.UNDER)]
    operator = draw(st.sampled_from(operators))
    if operator is Operator.MATCHES:
        value = st.text("ab*?./", max_size=6)
    if field is Field.RESOURCE:
        operator = draw(st.sampled_from([operator, Operator.UNDER]))
        if operator is Operator.UNDER:
            value = value.map(lambda text: canonical(f"/{text}"))
        elif operator not in (Operator.CONTAINS, Operator.ENDS_WITH, Operator.STARTS_WITH):
            value = value.map(canonical)
        elif operator is Operator.STARTS_WITH:
            value = value.map(lambda text: canonical(f"/{text}") + ("/" if text else ""))
    label = draw(any_text.filter(bool)) if field is Field.LABEL else ""
    return Atom(field, operator, draw(values_for(operator, value)), label)


def rules(value: st.SearchStrategy[str]) -> st.SearchStrategy[Rule]:
    leaves: st.SearchStrategy[Rule] = st.one_of(st.just(Always()), atoms(value))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(all_of),
            st.lists(inner, min_size=2, max_size=3).map(any_of),
        ),
        max_leaves=8,
    )


events = st.builds(
    Event,
    event_id=st.just("e"),
    type=few_texts,
    severity=st.sampled_from(Severity),
    timestamp=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    subject=few_texts,
    summary=few_texts,
    task_id=few_texts,
    actor=few_texts,
    canonical_resource=few_texts,
    labels=st.dictionaries(st.sampled_from(["a", "b"]), few_texts),
)


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
