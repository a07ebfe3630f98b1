"""What each rule matches: the product page's rules, every operator, precedence, quoting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, atoms
from ibs_notify.rules.evaluate import Trace, compile_rule, explain, matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ibs_notify.rules.warn import warnings

EVENT = Event(
    event_id="evt-2026-05-21-001",
    type="backup.failed",
    severity=Severity.ERROR,
    timestamp=datetime(2026, 5, 21, 2, 14, tzinfo=UTC),
    subject="Backup failed",
    summary='VM 12345: "no space left", retrying',
    task_id="UPID:backup:00C123:6643:abc",
    actor="alice@polystack!backup-job",
    resource="ibs-primary:production/vm/12345",
    canonical_resource=canonical("ibs-primary:production/vm/12345"),
    labels={"env": "prod", "the team": "storage"},
)


def holds(rule: str, event: Event = EVENT) -> bool:
    parsed = parse(rule)
    answer = matches(parsed, event)
    assert compile_rule(parsed)(event) is answer
    assert explain(parsed, event).holds is answer
    return answer


@pytest.mark.parametrize(
    "rule",
    [
        "*",
        "severity in (error, critical)",
        "severity >= error",
        "type = backup.failed",
        "resource starts-with /datastore/ibs-primary/production",
        "type = backup.failed and resource starts-with /datastore/ibs-primary/production",
        'not actor matches "*!automation"',
        "not severity = critical",
        "not type starts-with sync.",
        "not (type starts-with verify. and severity in (warning, error, critical))",
    ],
)
def test_the_rules_of_the_product_page_answer_for_its_own_event(rule: str) -> None:
    assert holds(rule)


def test_the_rules_of_the_product_page_match_what_they_describe() -> None:
    verify = replace(EVENT, type="verify.corrupt", severity=Severity.CRITICAL)
    assert holds("type starts-with verify. and severity in (warning, error, critical)", verify)
    assert holds("severity = critical", verify)
    automatic = replace(EVENT, actor="ops@polystack!automation", type="sync.failed")
    assert holds('actor matches "*!automation"', automatic)
    assert holds("type starts-with sync.", automatic)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("type = backup.completed", False),
        ("type != backup.completed", True),
        ("type in (backup.failed, sync.failed)", True),
        ("type not-in (backup.failed, sync.failed)", False),
        ("source = backup", True),
        ("subject = 'Backup failed'", True),
        ("subject = 'backup failed'", False),
        ("subject starts-with Back", True),
        ("subject ends-with failed", True),
        ("summary contains 'no space'", True),
        ('summary contains "\\"no space left\\""', True),
        ("summary contains NO", False),
        ("task_id starts-with UPID:backup:", True),
        ("actor matches *@polystack!*", True),
        ("actor matches polystack", False),
        ("actor matches ?lice*", True),
        ("actor matches [a-c]lice*", True),
        ("actor matches [!a-c]lice*", False),
        ("severity > error", False),
        ("severity <= error", True),
        ("severity < error", False),
        ("severity < critical", True),
        ("severity != ERROR", False),
        ("severity not-in (info, Notice)", True),
        ("labels.env = prod", True),
        ("labels.ENV = prod", False),
        ('labels."the team" = storage', True),
        ('labels.absent = ""', True),
        ("labels.absent != x", True),
        ("labels.absent contains x", False),
        ("resource = ibs-primary:production/vm/12345", True),
        ("resource = ibs-primary:production/vm/12345/", True),
        ("resource = /datastore/ibs-primary//production/vm/12345", True),
        ("resource in (a:b, ibs-primary:production/vm/12345)", True),
        ("resource starts-with ibs-primary:production/vm/123", True),
        ("resource starts-with ibs-primary:production/vm/", True),
        ("resource starts-with ibs-primary:production/vm/12345/", False),
        ("resource starts-with ibs-primary:", True),
        ("resource starts-with /datastore/ibs-prim", True),
        ("resource under ibs-primary:production/vm/123", False),
        ("resource under ibs-primary:production/vm", True),
        ("resource under ibs-primary:production/vm/", True),
        ("resource under /", True),
        ("resource matches ibs-primary:*/vm/?????", True),
        ("resource matches /datastore/*/12345", True),
        ("resource ends-with /12345", True),
    ],
)
def test_each_operator_means_what_the_manual_says(rule: str, expected: bool) -> None:
    assert holds(rule) is expected


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    rule = parse("type = a.b or source = c and not actor = d or *")
    assert isinstance(rule, Or)
    first, second, third = rule.parts
    assert isinstance(first, Atom)
    assert isinstance(second, And)
    assert isinstance(second.parts[1], Not)
    assert third == Always()


def test_parentheses_group_and_disappear_where_they_say_nothing() -> None:
    assert parse("(type = a.b) and ((source = c and (*)))") == parse("type=a.b and source=c and *")
    grouped = parse("(type = a.b or source = c) and *")
    assert isinstance(grouped, And)
    assert format_rule(grouped) == "(type = a.b or source = c) and *"


def test_words_of_the_language_are_known_in_any_case() -> None:
    shouted = 'NOT(Severity IN(Error,CRITICAL)OR Type Starts-With sync.)AND ACTOR MATCHES"*x"'
    plain = 'not (severity in (error, critical) or type starts-with sync.) and actor matches "*x"'
    assert parse(shouted) == parse(plain)


def test_spaces_around_symbols_and_line_breaks_mean_nothing() -> None:
    assert parse("severity>=error\n\tand type!=a.b") == parse("severity >= error and type != a.b")


@pytest.mark.parametrize(
    "value",
    ["UPID:a:b", "alice@p!job", "/a/b", "a*b?", "50%", "+49", "~x", "#1", "!x", "[ab]", "é日本"],
)
def test_values_of_such_characters_need_no_quotes(value: str) -> None:
    rule = parse(f"summary = {value}")
    assert isinstance(rule, Atom)
    assert rule.values == (value,)
    assert format_rule(rule) == f"summary = {value}"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"and"', "and"),
        ("'a \"b\"'", 'a "b"'),
        (r"'it\'s'", "it's"),
        (r'"a\\b\n\r\t\""', 'a\\b\n\r\t"'),
        ('"two\nlines"', "two\nlines"),
        ('""', ""),
    ],
)
def test_quoted_values_may_hold_anything(written: str, value: str) -> None:
    rule = parse(f"summary = {written}")
    assert isinstance(rule, Atom)
    assert rule.values == (value,)
    assert parse(format_rule(rule)) == rule


@pytest.mark.parametrize(
    ("written", "canonical_text"),
    [
        ("resource=a:b/", "resource = /datastore/a/b"),
        ("resource starts-with a:b/", "resource starts-with /datastore/a/b/"),
        ("resource starts-with a:", "resource starts-with /datastore/a/"),
        ("resource starts-with //a", "resource starts-with /a"),
        ("resource under a:", "resource under /datastore/a"),
        ("not(a_=b)".replace("a_", "actor"), "not actor = b"),
        ("not (not (*))", "not not *"),
        ("subject = 'a b' OR labels.'x y'='AND'", 'subject = "a b" or labels."x y" = "AND"'),
    ],
)
def test_the_canonical_text_is_plain(written: str, canonical_text: str) -> None:
    assert format_rule(parse(written)) == canonical_text


def test_an_atom_knows_its_place_but_is_equal_at_any() -> None:
    first, second = atoms(parse("actor = a\n  or actor = a"))
    assert (second.position.line, second.position.column) == (2, 6)
    assert first == second
    assert len({first, second}) == 1
    assert first == Atom(Field.ACTOR, Operator.EQ, ("a",))


def test_an_explanation_shows_every_part_with_the_events_value() -> None:
    trace = explain(parse("severity = info and (labels.env = prod or not *)"), EVENT)
    assert trace == Trace(
        "severity = info and (labels.env = prod or not *)",
        holds=False,
        parts=(
            Trace("severity = info", holds=False, actual="error"),
            Trace(
                "labels.env = prod or not *",
                holds=True,
                parts=(
                    Trace("labels.env = prod", holds=True, actual="prod"),
                    Trace("not *", holds=False, parts=(Trace("*", holds=True),)),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("type = bakup.failed", "unknown event type `bakup.failed`; did you mean `backup.failed`?"),
        ("type in (sync.failed, Sync.Failed)", "did you mean `sync.failed`?"),
        ("type starts-with bakup.", "did you mean `backup`?"),
        ("source = backups", "did you mean `backup`?"),
        ("type = backup.*", "for a glob use `matches`"),
        ("resource = ibs-primary", "did you mean `/datastore/ibs-primary`?"),
        ("resource starts-with tank", "did you mean `under /datastore/tank`?"),
        ("resource starts-with tank-", "did you mean `/datastore/tank-`?"),
        ("resource contains ibs:vm", "in the form /datastore/ibs/vm"),
    ],
)
def test_a_legal_rule_that_can_hardly_be_meant_is_warned_of(rule: str, words: str) -> None:
    (warning,) = warnings(parse(f"* or {rule}"))
    assert warning.startswith("line 1, column 6: ")
    assert words in warning


def test_the_rules_of_the_product_page_need_no_warning() -> None:
    rules = (
        "*",
        "severity in (error, critical)",
        "type starts-with verify. and severity in (warning, error, critical)",
        "type = backup.failed and resource starts-with /datastore/ibs-primary/production",
        'actor matches "*!automation"',
    )
    assert [warnings(parse(each)) for each in rules] == [()] * len(rules)
