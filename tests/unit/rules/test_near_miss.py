"""Why a rule does not match: the fewest conditions that would have to differ, in words."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations, count
from typing import Any

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule, atoms
from ibs_notify.rules.evaluate import Trace, explain
from ibs_notify.rules.near_miss import Difference, differences
from ibs_notify.rules.parse import parse


def event(**fields: Any) -> Event:
    resource = fields.pop("resource", "ibs-primary:staging/vm/1")
    defaults: dict[str, Any] = {
        "event_id": "e",
        "type": "backup.failed",
        "severity": Severity.WARNING,
        "timestamp": datetime(2026, 5, 21, tzinfo=UTC),
        "canonical_resource": canonical(resource),
    }
    return Event(**defaults | fields)


def found(text: str, **fields: Any) -> tuple[Difference, ...]:
    rule = parse(text)
    answer = differences(rule, explain(rule, event(**fields)))
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            "severity >= error",
            "severity is warning, the rule wants severity >= error (one step too low)",
        ),
        (
            "severity <= info",
            "severity is warning, the rule wants severity <= info (two steps too high)",
        ),
        (
            "resource under /datastore/ibs-primary/production",
            "resource is /datastore/ibs-primary/staging/vm/1, the rule wants resource under"
            " /datastore/ibs-primary/production (the same as far as /datastore/ibs-primary)",
        ),
        (
            "resource under /datastore/other",
            "resource is /datastore/ibs-primary/staging/vm/1, the rule wants resource under"
            " /datastore/other",
        ),
        (
            "resource under /datastore/IBS-primary",
            "resource is /datastore/ibs-primary/staging/vm/1, the rule wants resource under"
            " /datastore/IBS-primary (it differs in case only)",
        ),
        ("labels.env = prod", "it has no label env, the rule wants labels.env = prod"),
        ("actor = alice", "it has no actor, the rule wants actor = alice"),
        (
            "type in (sync.failed, backup.faild)",
            "type is backup.failed, the rule wants type in (sync.failed, backup.faild)"
            " (close to backup.faild)",
        ),
        (
            "not type = backup.failed",
            "type is backup.failed, the rule leaves out type = backup.failed",
        ),
        ("type != backup.failed", "type is backup.failed, the rule wants type != backup.failed"),
        (
            "type contains Failed",
            "type is backup.failed, the rule wants type contains Failed (it differs in case only)",
        ),
        ("type matches sync.*", "type is backup.failed, the rule wants type matches sync.*"),
        (
            "type in (config.role-created, config.key-rotated) or source = verify",
            "type is backup.failed, the rule wants type in (config.role-created,"
            " config.key-rotated) or source = verify",
        ),
        (
            "type = a.b or (severity >= error or source = verify) or actor = x or actor = y",
            "severity is warning, the rule wants severity >= error or type = a.b"
            " or source = verify or one of 2 more (one step too low)",
        ),
        (
            "actor = x or (type = a.b and labels.env = prod)",
            "it has no actor, the rule wants actor = x",
        ),
    ],
)
def test_a_difference_says_what_the_event_has_and_what_the_rule_wants(
    rule: str, sentence: str
) -> None:
    assert [each.near_miss or each.sentence for each in found(rule)] == [sentence]


def test_of_an_and_every_part_that_fails_would_have_to_differ() -> None:
    rule = "severity >= error and type = backup.failed and labels.env = prod"
    assert [each.atom.field for each in found(rule)] == [Field.SEVERITY, Field.LABEL]


def test_of_an_or_the_branch_that_needs_least_is_named() -> None:
    rule = "(severity >= error and labels.env = prod) or type = sync.failed"
    assert [each.atom.field for each in found(rule)] == [Field.TYPE]


def test_of_branches_that_need_as_much_the_nearest_is_named() -> None:
    rule = "type = sync.started or severity >= error"
    assert [each.atom.field for each in found(rule)] == [Field.SEVERITY]


def test_a_rule_that_matches_needs_nothing_and_one_that_never_can_has_no_answer() -> None:
    assert found("severity >= warning") == ()
    never = Not(Always())
    assert differences(never, explain(never, event())) is None


def test_a_condition_that_fails_at_two_places_is_named_once() -> None:
    rule = "(severity = error or type = a.b) and (severity = error or actor = bob)"
    assert [each.atom.value for each in found(rule)] == ["error"]


def test_a_text_of_any_length_is_shown_in_a_line() -> None:
    (difference,) = found(f"subject = {'x' * 3000}", subject="y" * 1000)
    assert len(difference.near_miss or difference.sentence) < 400


def tree(rng: random.Random, labels: Iterator[str], depth: int = 3) -> Rule:
    """A random rule whose conditions all differ."""
    kind = rng.choice(("atom", "and", "or", "not")) if depth else "atom"
    if kind == "atom":
        return Atom(Field.LABEL, Operator.EQ, ("yes",), next(labels))
    parts = [tree(rng, labels, depth - 1) for _ in range(rng.randint(2, 3))]
    if kind == "and":
        return And(tuple(parts))
    return Or(tuple(parts)) if kind == "or" else Not(parts[0])


def test_the_fewest_conditions_are_found_whatever_the_rule() -> None:
    """Held against every smaller set of conditions."""
    rng = random.Random(1)
    for _ in range(300):
        rule = tree(rng, map("k{}".format, count()))
        labels = [each.label for each in atoms(rule)]
        if len(labels) > 9:
            continue
        has = {each: rng.choice(("yes", "no")) for each in labels}

        def answer(flipped: tuple[str, ...], rule: Rule = rule, has: dict[str, str] = has) -> Trace:
            other = {
                k: ("no" if v == "yes" else "yes") if k in flipped else v for k, v in has.items()
            }
            return explain(rule, event(labels=other))

        trace = answer(())
        needed = differences(rule, trace, wanted=not trace.holds)
        assert needed is not None
        flipped = tuple(each.atom.label for each in needed)
        assert answer(flipped).holds is not trace.holds
        for fewer in range(len(flipped)):
            for others in combinations(labels, fewer):
                assert answer(others).holds is trace.holds
