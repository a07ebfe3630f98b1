"""The catalogue says what the product page and the house plan say."""

from __future__ import annotations

import pytest

from ibs_notify.domain.catalogue import (
    CATALOGUE,
    TYPE_SYNTAX,
    Outcome,
    default_severity,
    outcome_of,
)
from ibs_notify.domain.severity import Severity

OK, PROBLEM, NEUTRAL = Outcome.OK, Outcome.PROBLEM, Outcome.NEUTRAL
INFO, NOTICE, WARNING = Severity.INFO, Severity.NOTICE, Severity.WARNING
ERROR, CRITICAL = Severity.ERROR, Severity.CRITICAL

# The page's Event Sources table: source and event, then the type, its severity by the page's
# Event Severity table, and its outcome.
EVENT_SOURCES = [
    ("Backup job", "started", "backup.started", INFO, NEUTRAL),
    ("Backup job", "completed", "backup.completed", INFO, OK),
    ("Backup job", "failed", "backup.failed", ERROR, PROBLEM),
    ("Backup job", "warning", "backup.warning", WARNING, PROBLEM),
    ("Restore task", "started", "restore.started", INFO, NEUTRAL),
    ("Restore task", "completed", "restore.completed", INFO, OK),
    ("Restore task", "failed", "restore.failed", ERROR, PROBLEM),
    ("Sync job", "started", "sync.started", INFO, NEUTRAL),
    ("Sync job", "completed", "sync.completed", INFO, OK),
    ("Sync job", "failed", "sync.failed", ERROR, PROBLEM),
    ("Sync job", "integrity error", "sync.integrity-error", CRITICAL, PROBLEM),
    ("Verification job", "completed", "verify.completed", INFO, OK),
    ("Verification job", "failed", "verify.failed", ERROR, PROBLEM),
    ("Verification job", "per snapshot: stale", "verify.stale", WARNING, PROBLEM),
    ("Verification job", "per snapshot: corrupt", "verify.corrupt", CRITICAL, PROBLEM),
    ("Datastore", "free-space threshold", "datastore.free-space", WARNING, PROBLEM),
    ("Datastore", "status change", "datastore.status-change", WARNING, NEUTRAL),
    ("Datastore", "pruned data", "datastore.pruned", NOTICE, NEUTRAL),
    ("Authentication", "failed login", "auth.login-failed", WARNING, PROBLEM),
    ("Authentication", "MFA lockout", "auth.mfa-lockout", ERROR, PROBLEM),
    ("Authentication", "new API token", "auth.token-created", NOTICE, NEUTRAL),
    ("Configuration", "permission grant", "config.permission-granted", NOTICE, NEUTRAL),
    ("Configuration", "role create", "config.role-created", NOTICE, NEUTRAL),
    ("Configuration", "key rotation", "config.key-rotated", NOTICE, NEUTRAL),
    ("System", "service start", "system.service-started", INFO, NEUTRAL),
    ("System", "service stop", "system.service-stopped", NOTICE, NEUTRAL),
    ("System", "certificate renewal", "system.certificate-renewed", NOTICE, OK),
]


@pytest.mark.parametrize(("source", "event", "name", "severity", "outcome"), EVENT_SOURCES)
def test_every_event_of_the_page_is_known_with_severity_and_outcome(
    source: str, event: str, name: str, severity: Severity, outcome: Outcome
) -> None:
    assert name in CATALOGUE, f"{source}: {event}"
    assert (default_severity(name), outcome_of(name)) == (severity, outcome)


def test_beside_those_of_the_page_only_our_own_are_known() -> None:
    of_the_page = {name for _, _, name, _, _ in EVENT_SOURCES}
    others = set(CATALOGUE) - of_the_page
    announced = {"auth.token-revoked", "config.changed"}
    assert {name.partition(".")[0] for name in others - announced} == {"notification"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_known_type_follows_the_syntax_of_types_and_means_something(name: str) -> None:
    row = CATALOGUE[name]
    assert TYPE_SYNTAX.fullmatch(name)
    assert row.name == name
    assert row.source == name.partition(".")[0]
    assert row.meaning


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("tape.completed", OK),
        ("tape.link-recovered", OK),
        ("tape.key.renewed", OK),
        ("tape.failed", PROBLEM),
        ("tape.load-failed", PROBLEM),
        ("tape.read-error", PROBLEM),
        ("tape.corrupt", PROBLEM),
        ("tape.stale", PROBLEM),
        ("tape.warning", PROBLEM),
        ("tape.failed-over", NEUTRAL),
        ("tape.ejected", NEUTRAL),
        ("failed.started", NEUTRAL),
    ],
)
def test_an_unknown_type_has_the_outcome_of_its_last_word(name: str, outcome: Outcome) -> None:
    assert outcome_of(name) is outcome
    assert default_severity(name) is INFO


@pytest.mark.parametrize("name", ["", "backup", "Backup.failed", "backup.", ".failed", "a..b"])
def test_a_type_needs_lower_case_words_joined_by_dots(name: str) -> None:
    assert TYPE_SYNTAX.fullmatch(name) is None
