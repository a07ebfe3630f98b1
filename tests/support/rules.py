"""Rules and events of all kinds, few enough that they often meet."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, Atom, Field, Not, Operator, Rule, all_of, any_of

ORDERED = (Operator.GE, Operator.GT, Operator.LE, Operator.LT)
LISTS = (Operator.IN, Operator.NOT_IN)

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
few_texts = st.sampled_from(["", "a", "b", "ab", "a.b", "backup.failed", "a b", "/a/b", "/a"])
glob_elements = st.sampled_from(["a", "b", "*", "?", ".", "/", "[ab]", "[!a]"])
severities = st.sampled_from([each.label for each in Severity])


def values_for(
    operator: Operator, value: st.SearchStrategy[str]
) -> st.SearchStrategy[tuple[str, ...]]:
    most = 3 if operator in LISTS else 1
    return st.lists(value, min_size=1, max_size=most).map(tuple)


@st.composite
def atoms(draw: st.DrawFn, value: st.SearchStrategy[str]) -> Atom:
    """Conditions that a text can have, on values of ``value``."""
    field = draw(st.sampled_from(Field))
    if field is Field.SEVERITY:
        operator = draw(st.sampled_from([Operator.EQ, Operator.NE, *LISTS, *ORDERED]))
        return Atom(field, operator, draw(values_for(operator, severities)))
    operators = [each for each in Operator if each not in (*ORDERED, Operator.UNDER)]
    operator = draw(st.sampled_from(operators))
    if operator is Operator.MATCHES:
        value = st.lists(glob_elements, max_size=6).map("".join)
    if field is Field.RESOURCE:
        operator = draw(st.sampled_from([operator, Operator.UNDER]))
        if operator is Operator.UNDER:
            value = value.map(lambda text: canonical(f"/{text}"))
        elif operator not in (Operator.CONTAINS, Operator.ENDS_WITH, Operator.STARTS_WITH):
            value = value.map(canonical)
        elif operator is Operator.STARTS_WITH:
            value = value.map(lambda text: canonical(f"/{text}") + ("/" if text else ""))
    label = draw(st.sampled_from(["a", "b", "a b"])) if field is Field.LABEL else ""
    return Atom(field, operator, draw(values_for(operator, value)), label)


def rules(value: st.SearchStrategy[str], *more: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    """Rules of such conditions, and of ``more``, nested."""
    leaves: st.SearchStrategy[Rule] = st.one_of(st.just(Always()), atoms(value), *more)
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
