"""A rule that can match nothing has a likelier one, where it can be said what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rules import any_text, few_texts, rules

from ibs_notify.rules.analyze import analyze
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.likelier import likelier
from ibs_notify.rules.parse import parse


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("type = backup.*", "type starts-with backup."),
        ("type != backup.*", "not type starts-with backup."),
        ("type in (backup.*, sync.failed)", "type starts-with backup. or type = sync.failed"),
        (
            "severity >= error and type in (backup.*, sync.*)",
            "severity >= error and (type starts-with backup. or type starts-with sync.)",
        ),
        ("type = *.failed", "type matches *.failed"),
        ("actor = *!automation", "actor matches *!automation"),
        ("type = backup", "source = backup"),
        ("type = backup.", "source = backup"),
        ("type = backup.faild", "type = backup.failed"),
        ("type in (backup.faild, sync.failed)", "type in (backup.failed, sync.failed)"),
        ("type starts-with bakcup.", "type starts-with backup."),
        ("type starts-with backup.*", "type starts-with backup."),
        ("source = bakup", "source = backup"),
        ("resource = ibs-primary", "resource under /datastore/ibs-primary"),
        ("resource = ibs-primary/vm/", "resource under /datastore/ibs-primary/vm"),
        ("resource starts-with tank", "resource under /datastore/tank"),
        ("resource starts-with tank/", "resource under /datastore/tank"),
        ("resource starts-with tank/vm", "resource under /datastore/tank/vm"),
        ("resource starts-with tank-", "resource starts-with /datastore/tank-"),
        ("resource under /datastore/tank/*", "resource under /datastore/tank"),
    ],
)
def test_what_was_probably_meant(written: str, meant: str) -> None:
    analysis = analyze(written)
    assert analysis.warnings
    assert analysis.likelier == meant
    assert not analyze(meant).warnings


@pytest.mark.parametrize(
    "rule", ["*", "type starts-with backup.", "type = nothing.like-it", "subject contains *"]
)
def test_what_is_right_or_cannot_be_guessed_has_none(rule: str) -> None:
    assert analyze(rule).likelier == ""


@given(rules(st.one_of(few_texts, any_text, st.sampled_from(["backup.*", "*.failed", "bakup"]))))
def test_a_likelier_rule_can_be_read_and_is_another(rule: Rule) -> None:
    read = parse(format_rule(rule))
    meant = likelier(read)
    if meant:
        assert parse(meant) != read
