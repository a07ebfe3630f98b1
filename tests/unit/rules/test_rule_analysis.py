"""A rule while it is being written: its parts, its fault with the fix, and what may come next."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rules import any_text, few_texts, rules

from ibs_notify.rules.analyze import Kind, analyze
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.complete import complete
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse, read

SAID = (
    "severity type = == in ( ) , error and or not \" “ * like 'a%' is null contains ~ /x.*/ [ ] "
    "backup.* && where"
)
WORDS = st.sampled_from(SAID.split())
SCRIBBLES = st.one_of(st.text(max_size=60), st.lists(WORDS).map(" ".join))


def kinds(rule: str) -> list[str]:
    return [f"{rule[each.start : each.end]}:{each.kind}" for each in analyze(rule).parts]


def offered(rule: str, resources: tuple[str, ...] = ()) -> list[str]:
    """What may be written at the ``|``."""
    before, _, after = rule.partition("|")
    found = complete(before + after, len(before), resources)
    return [each.text for each in found.found]


def test_each_part_of_a_rule_says_what_it_is() -> None:
    assert kinds('not (severity in (error) and labels.a = "x y")') == [
        "not:KEYWORD",
        "(:PUNCTUATION",
        "severity:FIELD",
        "in:OPERATOR",
        "(:PUNCTUATION",
        "error:VALUE",
        "):PUNCTUATION",
        "and:KEYWORD",
        "labels.a:FIELD",
        "=:OPERATOR",
        '"x y":VALUE',
        "):PUNCTUATION",
    ]


def test_what_is_behind_a_fault_keeps_its_colours() -> None:
    assert kinds("severty = error and type = a.b") == [
        "severty:FAULT",
        "=:VALUE",
        "error:VALUE",
        "and:KEYWORD",
        "type:FIELD",
        "=:OPERATOR",
        "a.b:VALUE",
    ]


@given(SCRIBBLES)
@settings(max_examples=300)
def test_the_parts_are_in_order_and_leave_only_blanks_out(text: str) -> None:
    end = 0
    for part in analyze(text).parts:
        assert part.start < part.end
        assert not text[end : part.start].strip()
        end = part.end
    assert not text[end:].strip()


@given(rules(any_text))
def test_a_right_rule_has_no_fault_and_says_its_canonical_text(rule: Rule) -> None:
    found = analyze(format_rule(rule))
    assert found.fault is None
    assert found.canonical == format_rule(rule)
    assert all(each.kind is not Kind.FAULT for each in found.parts)


@pytest.mark.parametrize(
    ("rule", "fixed"),
    [
        ("severty = eror", "severity = error"),
        ("severity: error", "severity = error"),
        ("type starts with sync.", "type starts-with sync."),
        ("severity not in (error)", "severity not-in (error)"),
        ("severity (error, critical)", "severity in (error, critical)"),
        ("severity = error, critical", "severity in (error, critical)"),
        ("severity in (error critical)", "severity in (error, critical)"),
        ("severity in (error and type = a.b", "severity in (error) and type = a.b"),
        ("severity = error && !(type = a.b)", "severity = error and not (type = a.b)"),
        ("(severity = error", "(severity = error)"),
        ("subject = two words and type = a.b", 'subject = "two words" and type = a.b'),
        ('actor = "DOMAIN\\bob"', 'actor = "DOMAIN\\\\bob"'),
        ('subject = "never closed', 'subject = "never closed"'),
        ("subject = “two words”", 'subject = "two words"'),
        ("summary > 5", "summary = 5"),
        ("error or critical", "severity = error or severity = critical"),
        ("labels = prod", ""),
        ("severity = error)", "severity = error"),
        ("severity in (error,)", "severity in (error)"),
        ("severity in (error,, critical)", "severity in (error, critical)"),
        ("type in (a b c) and severity = error", "type in (a, b, c) and severity = error"),
        ("severity = error and", "severity = error"),
        ("severity = error and not", "severity = error"),
        ("severity = error or or type = a.b", "severity = error or type = a.b"),
        ("where severity = error", "severity = error"),
        ("= error", "severity = error"),
        ("'backup.failed'", "type = backup.failed"),
        ('"severity" = error', "severity = error"),
        ("error = severity", "severity = error"),
        ("backup.*", "type matches backup.*"),
        ("type LIKE 'backup%'", "type matches backup*"),
        ("actor not like 'bob%'", "not actor matches bob*"),
        ("actor IS NULL", 'actor = ""'),
        ("actor is not null", 'actor != ""'),
        ('type =~ "^backup"', "type matches backup*"),
        ("subject ~ /fail.*/", "subject matches *fail*"),
        ("subject ~ /a|b/", ""),
        ('contains(subject, "x")', 'subject contains "x"'),
        ('type.startsWith("sync.")', 'type starts-with "sync."'),
        ("subject contains (a, b)", "(subject contains a or subject contains b)"),
        ("type contains a, b", "(type contains a or type contains b)"),
        ("actor = bob or alice", "actor = bob or actor = alice"),
        ("severity = [error, critical]", "severity in (error, critical)"),
        ("severity >= (error)", "severity >= error"),
        ("[severity = error]", "(severity = error)"),
        ("severity > = error", "severity >= error"),
        ("severity ≥ error", "severity >= error"),
        ("severity isn't error", "severity != error"),
        ("severity !in (error)", "severity not-in (error)"),
        ("severity:error type:a.b", "severity = error and type = a.b"),
        ('subject = "never and severity = error', 'subject = "never" and severity = error'),
        ("severity = \"error' and type = a.b", 'severity = "error" and type = a.b'),
        ("actor matches [z-a]", "actor matches [a-z]"),
        ("severity = error and or type = a.b", ""),
        ("severity = error xor type = a.b", ""),
        ("severity in ()", ""),
        ("foo = bar", ""),
    ],
)
def test_the_likeliest_fix_is_a_whole_rule(rule: str, fixed: str) -> None:
    found = analyze(rule)
    assert found.fault is not None
    assert found.fault.fixed == fixed


@given(SCRIBBLES)
@settings(max_examples=300)
def test_a_fix_always_parses(text: str) -> None:
    fault = analyze(text).fault
    assert fault is None or not fault.fixed or parse(fault.fixed)


def test_a_fault_is_placed_by_characters_whatever_their_bytes() -> None:
    fault = analyze('subject = "Größe 💾" and\n severty = error').fault
    assert fault is not None
    assert (fault.line, fault.column, fault.position) == (2, 2, 25)
    assert fault.message.startswith("unknown field `severty`")


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("|", ["severity", "type", "actor"]),
        ("sev|", ["severity"]),
        ("severity |", ["=", "!=", "in"]),
        ("type star|", ["starts-with"]),
        ("severity >= |", ["error", "critical"]),
        ("severity >= er|", ["error"]),
        ("severity in |", ["(error, critical)", "("]),
        ("severity in (error|", []),
        ("severity in (error |", [",", ")"]),
        ("type = fail|", ["backup.failed", "restore.failed"]),
        ("type starts-with |", ["backup."]),
        ("type = backup.failed |", ["and", "or"]),
        ("(type = backup.failed |", ["and", "or", ")"]),
        ("type = a.b and n|", ["not"]),
        ('type = "backup.f|', ["backup.failed"]),
        ("severty = error and |", []),
        ("summary contains |", []),
    ],
)
def test_what_may_come_next_is_offered_the_likeliest_first(rule: str, first: list[str]) -> None:
    assert offered(rule)[: max(len(first), 1)] == first


def test_a_word_in_the_middle_is_replaced_whole() -> None:
    found = complete("severity = err and type = a.b", 13)
    assert (found.start, found.end, found.field) == (11, 14, "severity")


def test_resources_that_are_known_are_offered_for_the_resource() -> None:
    known = ("/datastore/a/vm 1", "/datastore/b")
    assert offered("resource under |", known) == ['"/datastore/a/vm 1"', "/datastore/b"]
    assert offered("resource contains |", known) == []


def test_the_field_whose_value_is_written_is_named() -> None:
    assert complete('labels."a key" = ', 17).field == "labels.a key"
    assert complete("actor in (x, ", 13).field == "actor"
    assert complete("actor ", 6).field == ""


@given(rules(few_texts), st.data())
@settings(max_examples=300)
def test_whatever_is_put_in_makes_a_rule_or_the_beginning_of_one(
    rule: Rule, data: st.DataObject
) -> None:
    text = format_rule(rule)
    before = text[: data.draw(st.integers(0, len(text)))]
    found = complete(before, len(before), ("/a", "/datastore/x y"))
    for each in found.found:
        put = before[: found.start] + each.text
        # A label needs its key, and a word that is only the beginning of another ends here.
        put += "key " if each.text == "labels." else " "
        assert read(put).fault is None, put


@pytest.mark.parametrize(
    "rule",
    [
        " or ".join(f"(type = a.b and resource under /x{number})" for number in range(32)),
        f"type in ({', '.join('a' * 55 + f'.{number}' for number in range(64))})",
        " or ".join(f"(type = a.b and resource under /x{number})" for number in range(31)) + " oor",
        "type = a b c d " * 270,
        "x " * 2000,
        "x" * 4000,
        "(" * 4000,
        '"' * 4000,
        "*" * 4000 + ",",
        "x =" + " " * 4000 + "y z",
        "type in (" + "a " * 2000,
        "[" * 4000,
        "in (" * 1000,
        " or ".join(f"type in ({', '.join('a' * 64)})" for _ in range(21)),
    ],
)
def test_a_rule_of_4_kib_is_analysed_while_it_is_typed(rule: str) -> None:
    spent = []
    for _ in range(3):
        begin = time.process_time()
        complete(rule, len(rule), reading=analyze(rule).reading)
        spent.append(time.process_time() - begin)
    # At most 20 ms where nothing else runs, whatever is in it.
    assert min(spent) < 0.05


def test_what_is_over_the_bound_is_not_looked_at() -> None:
    begin = time.process_time()
    found = analyze("type = a.b and " * 100_000)
    assert time.process_time() - begin < 0.1
    assert found.fault is not None
    assert "more than 4096 bytes" in found.fault.message
    assert complete("x" * 5000, 5000).found == ()


def test_nothing_is_offered_that_the_bounds_refuse() -> None:
    full = ", ".join(["error"] * 64)
    assert offered(f"severity in ({full} |") == [")"]
    assert offered(f"severity in ({full}) |") == ["and", "or"]
    assert offered(" and ".join(["* "] * 64) + "|") == []
    assert offered("type = " + "x" * 4086 + " |") == ["or"]
