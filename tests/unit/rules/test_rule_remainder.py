"""What a rule asks for beside what is known: a proof where it says all or none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import events, few_texts, rules

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.evaluate import matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.normal_form import ALWAYS, NEVER
from ibs_notify.rules.parse import parse
from ibs_notify.rules.remainder import of_kind, of_place

TANK = "/datastore/tank"
ALL, NONE = "*", "not *"

places = st.sampled_from(["", "/", "/a", "/a/b", "/a b", "a", "/datastore/a"])
ends = st.sampled_from(["", "a", "b", "a/b", "ab", "a.b"])


@given(rules(few_texts), events, places, ends)
@settings(max_examples=500)
def test_what_is_left_holds_for_an_event_exactly_when_the_rule_does(
    rule: Rule, event: Event, place: str, end: str
) -> None:
    """So that none is left only of a rule that matches no event of the kind, about the place."""
    resource = canonical(f"{place}/{end}") if place and end else place
    about = replace(event, canonical_resource=resource)
    left = of_place(of_kind(rule, event.type, event.severity), place)
    assert matches(left, about) is matches(rule, about)


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("severity >= warning and source = backup", ALL),
        ("severity >= error", NONE),
        ("not severity >= error", ALL),
        ('actor matches "*!nightly" and severity >= warning', "actor matches *!nightly"),
        ('actor matches "*!nightly" or severity >= warning', ALL),
        ("actor = a and type = sync.failed", NONE),
        ("not (actor = a and type = backup.warning)", "not actor = a"),
        ("resource under /datastore/tank", ALL),
        ("resource under /", ALL),
        ("resource starts-with /datastore/ta", ALL),
        ("resource under /datastore/tank2", NONE),
        ("resource starts-with /datastore/tank2", NONE),
        ("resource under /datastore/tank/a", "resource under /datastore/tank/a"),
        ("not resource under /datastore/other", ALL),
        ("resource = /datastore/other", NONE),
        ("resource != /datastore/other", ALL),
        ("resource matches /datastore/other/*", NONE),
        ("resource contains tank", ALL),
        ("resource ends-with /vm/1", "resource ends-with /vm/1"),
    ],
)
def test_the_rest_is_said_in_the_words_of_the_rule(rule: str, left: str) -> None:
    kind = of_kind(parse(rule), "backup.warning", Severity.WARNING)
    assert format_rule(of_place(kind, TANK)) == left


def test_without_a_resource_nothing_is_below_it() -> None:
    assert of_place(parse("resource under /datastore/tank"), "") == NEVER
    assert of_place(parse("resource = ''"), "") == ALWAYS
