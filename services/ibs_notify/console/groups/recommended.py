"""The groups that the manual recommends, as forms that are filled already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ibs_notify.console.groups.draft import Draft, Row
from ironcore.notification.v1.target_pb2 import Target

MAIL, WEBHOOK, METRIC_SERVER = "mail", "webhook", "metric server"
KINDS = {
    "smtp": MAIL,
    "webhook": WEBHOOK,
    "influxdb": METRIC_SERVER,
    "pushgateway": METRIC_SERVER,
}
EVERYTHING = "*"
COMPLIANCE = (
    "type in (config.permission-granted, config.role-created, config.key-rotated)"
    " or source = verify"
)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """``rules`` by kind of target."""

    name: str
    description: str
    hears: str
    rules: tuple[tuple[str, str], ...]
    digest_rule: str = ""
    weekly_summary: bool = False


RECOMMENDED = (
    Recommendation(
        "ops-team",
        "Daily operations team",
        "All operational events, by mail, in the chat from errors on, and as metrics.",
        (
            (MAIL, EVERYTHING),
            (WEBHOOK, "severity in (error, critical)"),
            (METRIC_SERVER, EVERYTHING),
        ),
    ),
    Recommendation(
        "on-call",
        "Who is woken up",
        "What is at least an error, by every webhook: a pager, the chat.",
        ((WEBHOOK, "severity >= error"),),
    ),
    Recommendation(
        "compliance",
        "Auditors",
        "Permission changes, key rotation and verification results, by mail and as metrics.",
        ((MAIL, COMPLIANCE), (METRIC_SERVER, COMPLIANCE)),
    ),
    Recommendation(
        "executive-sponsor",
        "Who answers for the backups",
        "Only what is critical, in a daily digest by mail, and a weekly summary.",
        ((MAIL, "severity = critical"),),
        digest_rule="severity = critical",
        weekly_summary=True,
    ),
)


def recommended(name: str, targets: Sequence[Target]) -> Draft | None:
    """The form of a recommended group with the ``targets`` that there are; None for no such."""
    found = next((each for each in RECOMMENDED if each.name == name), None)
    if found is None:
        return None
    rules = dict(found.rules)
    rows = [
        Row(target.name, rules[kind])
        for target in targets
        if (kind := KINDS.get(target.WhichOneof("kind") or "")) in rules
    ]
    draft = Draft(
        name=found.name,
        description=found.description,
        rows=tuple(rows or [Row(rule=rule) for _, rule in found.rules]),
        weekly_summary=found.weekly_summary,
    )
    if not found.digest_rule:
        return draft
    return replace(draft, has_digest=True, digest_rule=found.digest_rule)
