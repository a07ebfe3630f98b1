"""Every bad rule names the place, what was expected, and what was probably meant."""

from __future__ import annotations

import time

import pytest

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.parse import parse


def error_of(rule: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        parse(rule)
    return caught.value


@pytest.mark.parametrize(
    ("rule", "column", "suggestion"),
    [
        ("", 1, "*"),
        ("severty = error", 1, "severity"),
        ("severity = eror", 12, "error"),
        ("severity in (error, fatal)", 21, "critical"),
        ("type == backup.failed", 6, "="),
        ("severity is error", 10, "="),
        ("severity: error", 9, "="),
        ("severity => error", 10, ">="),
        ("severity <> error", 10, "!="),
        ("actor =~ bob", 7, "matches"),
        ("type starts with sync.", 6, "starts-with"),
        ("type startswith sync.", 6, "starts-with"),
        ("severity not in (error)", 10, "not-in"),
        ("type contians x", 6, "contains"),
        ("severity error", 10, "severity = error"),
        ("subject 'two words'", 9, "subject = 'two words'"),
        ("severity (error, critical)", 10, "severity in (error, critical)"),
        ("severity = (error, critical)", 12, "severity in (error, critical)"),
        ("severity in error, critical", 13, "severity in (error, critical)"),
        ("severity in [error, critical]", 13, "severity in (error, critical)"),
        ("severity = error, critical", 17, "severity in (error, critical)"),
        ("severity != error critical", 19, "severity not-in (error, critical)"),
        ("severity in (error critical)", 20, "error, critical"),
        ("severity = error && type = a.b", 18, "and"),
        ("severity = error || type = a.b", 18, "or"),
        ("severity = error & type = a.b", 18, "and"),
        ("severity = error adn type = a.b", 18, "and"),
        ("severity = error type = a.b", 18, "and type"),
        ("! severity = error", 1, "not"),
        ("!(severity = error)", 1, "not"),
        ("(severity = error", 18, ")"),
        ("severity in (error, critical", 29, ")"),
        ("severity in (error and type = a.b", 20, ")"),
        ("subject = two words and type = a.b", 15, '"two words"'),
        ("summary contains don't stop", 21, '"don\'t stop"'),
        ("summary contains a & b", 20, '"a & b"'),
        ("labels.x = a=b", 13, '"a=b"'),
        ("actor = DOMAIN\\bob", 15, '"DOMAIN\\\\bob"'),
        ('actor = "DOMAIN\\bob"', 9, "\\\\b"),
        ('subject = "never closed', 11, '"never closed"'),
        ("severity = “error”", 12, '"'),
        ("subject = and", 11, '"and"'),
        ("summary > 5", 9, "summary = …"),
        ("severity matches err*", 10, "severity in (error, critical)"),
        ("type under backup", 6, "type starts-with …"),
        ("resource under ibs", 16, "/datastore/ibs"),
        ("error", 1, "severity = error"),
        ("backup.failed", 1, "type = backup.failed"),
        ("all", 1, "*"),
        ("**", 2, "*"),
        ("level = error", 1, "severity"),
        ("event.severity = error", 1, "severity"),
        ("label.env = prod", 1, "labels.env"),
        ("labels = prod", 1, "labels.KEY"),
        ("severity", 9, "severity >= error"),
        ("severity >= ", 12, "severity >= error"),
        ("severity in", 12, "severity in (error, critical)"),
        ("severity >== error", 12, ">="),
    ],
)
def test_a_bad_rule_names_the_column_and_what_was_meant(
    rule: str, column: int, suggestion: str
) -> None:
    error = error_of(rule)
    assert (error.line, error.column, error.suggestion) == (1, column, suggestion)
    assert str(error).startswith(f"line 1, column {column}: ")
    assert error.advice


@pytest.mark.parametrize(
    ("rule", "column", "words"),
    [
        ("severity = error)", 17, "`)` closes nothing"),
        ("()", 2, "write a condition between the parentheses"),
        ("severity in ()", 14, "an empty list matches nothing"),
        ("severity in (error,)", 20, "remove the comma that is too many"),
        ("severity = error and", 21, "write a condition after `and`, or remove it"),
        ("severity = error or or *", 21, "a condition is missing before `or`"),
        ("= error", 1, "a condition is missing: found `=`"),
        ("actor =", 8, 'to compare with nothing, write ""'),
        ('"severity" = error', 1, "a field, which has no quotes"),
        ('labels."" = x', 1, "a label has no key"),
        ('actor matches "[a"', 15, "`[` without `]`"),
        ("actor matches [z-a]", 15, "the range `z-a` is empty"),
        ("(severity = error", 18, "`(` at line 1, column 1 is never closed"),
        ("not", 4, "a condition is missing: the rule ends here"),
    ],
)
def test_a_bad_rule_says_what_is_wrong(rule: str, column: int, words: str) -> None:
    error = error_of(rule)
    assert (error.line, error.column) == (1, column)
    assert words in str(error)


def test_lines_are_counted_and_columns_are_characters() -> None:
    error = error_of("subject = 'ä日本'\n  and severty = x")
    assert (error.line, error.column) == (2, 7)


def test_the_first_fault_is_the_one_that_is_named() -> None:
    error = error_of("severty = eror && foo")
    assert (error.column, error.suggestion) == (1, "severity")


def test_the_error_is_an_invalid_argument_that_lists_what_was_expected() -> None:
    error = error_of("severity = eror")
    assert isinstance(error, InvalidArgument)
    assert error.reason is Reason.RULE_INVALID
    assert error.expected == "one of info, notice, warning, error, critical"
    assert str(error) == (
        "line 1, column 12: unknown severity `eror`; expected one of info, notice, warning, "
        "error, critical (did you mean `error`?)"
    )


def nested(depth: int) -> str:
    return "(" * depth + "*" + ")" * depth


@pytest.mark.parametrize(
    "rule",
    [
        " or ".join(["actor = a"] * 64),
        nested(32),
        "not " * 32 + "*",
        " and ".join(["(not (actor in (a)))"] * 64),
        f"actor in ({', '.join(['a'] * 64)})",
        "actor = " + "a" * (4096 - len("actor = ")),
    ],
)
def test_a_rule_at_its_limits_is_accepted(rule: str) -> None:
    parse(rule)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (" or ".join(["actor = a"] * 65), "more than 64 conditions"),
        (nested(33), "nested more than 32 deep"),
        ("not " * 33 + "*", "nested more than 32 deep"),
        (f"actor in ({', '.join(['a'] * 65)})", "more than 64 values"),
        ("actor = " + "a" * (4097 - len("actor = ")), "more than 4096 bytes"),
        ("actor = " + "日" * 1363, "more than 4096 bytes"),
        ("actor = a" + " " * 5000, "more than 4096 bytes"),
    ],
)
def test_a_rule_over_a_limit_names_the_limit(rule: str, words: str) -> None:
    assert words in str(error_of(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "a" * 1_000_000,
        "(" * 10_000,
        "(" * 4_096,
        "not " * 1_024,
        "severity in (" + "error," * 680,
        "subject = " + "a " * 2_000,
        "labels.'" + "\\" * 4_000,
        "x" * 4_096,
        '"' * 4_096,
        "actor = a " + "& " * 2_000,
        "actor matches " + "[" * 4_000,
    ],
    ids=lambda rule: rule[:16],
)
def test_a_rule_bomb_is_refused_in_ten_milliseconds(rule: str) -> None:
    parse("*")
    spent = []
    for _ in range(3):
        start = time.process_time()
        error_of(rule)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.010
