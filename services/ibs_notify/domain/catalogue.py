"""The known event types: what each means, its default severity, and whether it is good news."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.domain.severity import Severity

TYPE_SYNTAX = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+")
"""``source.what-happened``: lower-case words joined by dots, at least two of them."""


class Outcome(StrEnum):
    """What an event says of its resource; a change of outcome is never hidden as a repeat."""

    OK = "ok"
    PROBLEM = "problem"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class EventType:
    """A row of the catalogue, as ``event-types list`` prints it."""

    name: str
    severity: Severity
    outcome: Outcome
    meaning: str

    @property
    def source(self) -> str:
        return self.name.partition(".")[0]


def _row(name: str, severity: Severity, outcome: Outcome, meaning: str) -> tuple[str, EventType]:
    return name, EventType(name, severity, outcome, meaning)


_S, _O = Severity, Outcome
SUMMARY_TYPE = "notification.summary"
DELIVERY_DEAD_TYPE = "notification.delivery-dead"
CATALOGUE: dict[str, EventType] = dict(
    (
        _row("backup.started", _S.INFO, _O.NEUTRAL, "A backup job began"),
        _row("backup.completed", _S.INFO, _O.OK, "A backup job finished"),
        _row("backup.failed", _S.ERROR, _O.PROBLEM, "A backup job failed"),
        _row("backup.warning", _S.WARNING, _O.PROBLEM, "A backup job finished with warnings"),
        _row("restore.started", _S.INFO, _O.NEUTRAL, "A restore task began"),
        _row("restore.completed", _S.INFO, _O.OK, "A restore task finished"),
        _row("restore.failed", _S.ERROR, _O.PROBLEM, "A restore task failed"),
        _row("sync.started", _S.INFO, _O.NEUTRAL, "A sync job began"),
        _row("sync.completed", _S.INFO, _O.OK, "A sync job finished"),
        _row("sync.failed", _S.ERROR, _O.PROBLEM, "A sync job failed"),
        _row("sync.integrity-error", _S.CRITICAL, _O.PROBLEM, "Synced data does not check out"),
        _row("verify.completed", _S.INFO, _O.OK, "A verification finished, all snapshots sound"),
        _row("verify.failed", _S.ERROR, _O.PROBLEM, "A verification could not be carried out"),
        _row("verify.stale", _S.WARNING, _O.PROBLEM, "A snapshot was not verified in time"),
        _row("verify.corrupt", _S.CRITICAL, _O.PROBLEM, "A snapshot is corrupt"),
        _row("datastore.free-space", _S.WARNING, _O.PROBLEM, "Free space fell below a threshold"),
        _row("datastore.status-change", _S.WARNING, _O.NEUTRAL, "A datastore changed its status"),
        _row("datastore.pruned", _S.NOTICE, _O.NEUTRAL, "Old snapshots were pruned"),
        _row("auth.login-failed", _S.WARNING, _O.PROBLEM, "A login was refused"),
        _row("auth.mfa-lockout", _S.ERROR, _O.PROBLEM, "An account was locked after wrong codes"),
        _row("auth.token-created", _S.NOTICE, _O.NEUTRAL, "A new API token was created"),
        _row("auth.token-revoked", _S.NOTICE, _O.NEUTRAL, "An API token was revoked"),
        _row("config.changed", _S.INFO, _O.NEUTRAL, "The configuration of notifications changed"),
        _row("config.permission-granted", _S.NOTICE, _O.NEUTRAL, "A permission was granted"),
        _row("config.role-created", _S.NOTICE, _O.NEUTRAL, "A role was created"),
        _row("config.key-rotated", _S.NOTICE, _O.NEUTRAL, "An encryption key was rotated"),
        _row("system.service-started", _S.INFO, _O.NEUTRAL, "A service started"),
        _row("system.service-stopped", _S.NOTICE, _O.NEUTRAL, "A service stopped"),
        _row("system.certificate-renewed", _S.NOTICE, _O.OK, "A certificate was renewed"),
        _row("notification.test", _S.INFO, _O.NEUTRAL, "A test message of a target"),
        _row("notification.digest", _S.INFO, _O.NEUTRAL, "A digest of routine events"),
        _row(SUMMARY_TYPE, _S.NOTICE, _O.NEUTRAL, "A summary of a collapsed backlog"),
        _row("notification.weekly-summary", _S.INFO, _O.NEUTRAL, "The weekly report"),
        _row("notification.target-failing", _S.ERROR, _O.PROBLEM, "A target does not accept"),
        _row("notification.target-recovered", _S.NOTICE, _O.OK, "A target accepts again"),
        _row("notification.target-paused", _S.WARNING, _O.PROBLEM, "A target was paused"),
        _row(DELIVERY_DEAD_TYPE, _S.ERROR, _O.PROBLEM, "A delivery was given up"),
        _row("notification.delivery-cancelled", _S.NOTICE, _O.NEUTRAL, "A delivery was cancelled"),
        _row("notification.no-recipients", _S.WARNING, _O.PROBLEM, "A mail has no recipient"),
        _row("notification.unknown-group", _S.WARNING, _O.PROBLEM, "An event named no known group"),
    )
)

_SOURCES_ABOUT_DATASTORES = frozenset({"backup", "restore", "sync", "verify", "datastore"})
ABOUT_DATASTORES = tuple(
    each for each in CATALOGUE.values() if each.source in _SOURCES_ABOUT_DATASTORES
)
"""What can happen to a datastore."""

_LAST_WORDS = {
    "completed": Outcome.OK,
    "recovered": Outcome.OK,
    "renewed": Outcome.OK,
    "failed": Outcome.PROBLEM,
    "warning": Outcome.PROBLEM,
    "error": Outcome.PROBLEM,
    "corrupt": Outcome.PROBLEM,
    "stale": Outcome.PROBLEM,
}


def outcome_of(event_type: str) -> Outcome:
    """The outcome of any type; of an unknown one by its last word, else neutral."""
    known = CATALOGUE.get(event_type)
    if known is not None:
        return known.outcome
    last_word = re.split(r"[.-]", event_type)[-1]
    return _LAST_WORDS.get(last_word, Outcome.NEUTRAL)


def default_severity(event_type: str) -> Severity:
    """The severity of an event whose emitter gave none; info for an unknown type."""
    known = CATALOGUE.get(event_type)
    return known.severity if known is not None else Severity.INFO
