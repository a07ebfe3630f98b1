"""Rules and events as an installation has them: few teams and types, many resources and people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from ibs_notify.domain.catalogue import CATALOGUE, default_severity
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.parse import parse

TYPES = tuple(name for name in CATALOGUE if not name.startswith("notification."))
_SEVERE = ("warning", "error", "critical")
_WHEN = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)


def rule_texts(count: int, *, globs: float = 0.0, seed: int = 1) -> Iterator[str]:
    """``count`` rules, the share ``globs`` of them with stars in the middle of a text.

    Datastores and teams are as many as that many rules would have, so that an event concerns
    about as many rules of a hundred thousand as of a thousand.
    """
    random = Random(seed)
    for number in range(count):
        if random.random() < globs:
            yield f'resource matches "*/vm/{number}/*" and severity >= {random.choice(_SEVERE)}'
        else:
            yield _rule_text(random, number, count)


def _rule_text(random: Random, number: int, count: int) -> str:
    severe, type_ = f"severity >= {random.choice(_SEVERE)}", f"type = {random.choice(TYPES)}"
    store, team = f"/datastore/{_store(number, count)}", f"labels.team = {_team(number, count)}"
    machine, person = f"{store}/vm/{number}", f"user-{number}@polystack"
    kinds = (
        (30, f"{severe} and resource under {machine}"),
        (15, f"{type_} and resource starts-with {machine}/"),
        (10, f"{type_} and {severe} and resource under {store}"),
        (15, f"actor = {person}!backup-job"),
        (10, f"{team} and {severe} and {type_}"),
        (8, f'{team} and {severe} and not actor matches "*!automation"'),
        (5, f"({type_} or {severe}) and actor starts-with {person}!"),
        (5, f"actor ends-with !job-{number}"),
        (2, f"source = config and {team}" if number % 2000 else "severity in (error, critical)"),
    )
    return random.choices([text for _, text in kinds], [weight for weight, _ in kinds])[0]


def _store(number: int, rules: int) -> str:
    return f"ibs-{number % max(5, rules // 100)}"


def _team(number: int, rules: int) -> str:
    return f"team-{number % max(5, rules // 50)}"


def parsed(texts: Iterator[str]) -> list[Rule]:
    """The rules of ``texts``."""
    return [parse(text) for text in texts]


def events(count: int, *, rules: int, seed: int = 2) -> list[Event]:
    """``count`` different events, of resources and people that ``rules`` rules are about."""
    random = Random(seed)
    made = []
    for number in range(count):
        about = random.randrange(max(rules, 10))
        type_ = random.choice(TYPES)
        path = f"/datastore/{_store(about, rules)}/vm/{about}/disk-{number}"
        made.append(
            Event(
                event_id=f"e-{number}",
                type=type_,
                severity=random.choice((default_severity(type_), Severity.INFO)),
                timestamp=_WHEN,
                subject="Backup failed",
                summary=f"VM {about}: no space left on device after {number} s",
                task_id=f"UPID:ibs:{number:08X}:backup",
                actor=f"user-{about}@polystack!backup-job",
                resource=path,
                canonical_resource=path,
                labels={"team": _team(about, rules), "env": "production"},
            )
        )
    return made
