"""What a rule may match, as far as type and severity say."""

from __future__ import annotations

import pytest

from ibs_notify.domain.severity import Severity
from ibs_notify.rules.analyze import analyze
from ibs_notify.rules.parse import parse
from ibs_notify.rules.possible import may_match, severities_possible

CRITICAL, ERROR, WARNING = Severity.CRITICAL, Severity.ERROR, Severity.WARNING


@pytest.mark.parametrize(
    ("rule", "critical", "error"),
    [
        ("*", True, True),
        ("resource under /datastore/ibs-primary", True, True),
        ("(resource under /datastore/a) and severity < critical", False, True),
        ("not (severity >= error and labels.site = vienna)", True, True),
        ("not severity >= error", False, False),
        ("not (severity >= error or labels.site = vienna)", False, False),
        ("type = verify.corrupt", True, False),
        ("type = backup.completed", False, False),
        ("type != backup.completed and actor = alice", True, True),
        ("source = backup", False, True),
        # What the catalogue does not know may be anything.
        ("type = power.cut", True, True),
        ("source = power", True, True),
        ("type = backup.other", True, True),
        ("type starts-with backup.", False, True),
        ("type starts-with power. and severity < critical", False, True),
        ("type not-in (verify.corrupt, sync.integrity-error)", True, True),
    ],
)
def test_the_severities_that_a_rule_may_match(rule: str, critical: bool, error: bool) -> None:
    found = severities_possible(parse(rule))
    assert (CRITICAL in found, ERROR in found) == (critical, error)
    assert list(found) == sorted(found, reverse=True)


def test_what_is_not_known_may_be_so_and_may_not() -> None:
    place = parse("resource under /datastore/a and source = backup")
    assert may_match(place, "backup.failed", ERROR)
    assert not may_match(place, "sync.failed", ERROR)
    other = parse("not resource under /datastore/a")
    assert may_match(other, "backup.failed", ERROR)


def test_an_analysis_says_the_severities_of_what_is_right_only() -> None:
    assert analyze("severity >= error").severities == (CRITICAL, ERROR)
    assert analyze("severity >").severities == ()
