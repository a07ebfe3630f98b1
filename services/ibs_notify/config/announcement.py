"""Which events the entries of the audit log become: a few, whatever a script has changed.

The events of some entries are always the same, with the same ids, so announcing twice is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.event import Event

MOST_OF_A_TYPE = 10
"""Events of one type from one batch of entries; the last one stands for all the rest."""
MOST_LINES = 20
"""Entries that a summary lists; of the others it says how many."""
SEVERAL = "several"

CHANGED = "config.changed"
TOKEN_CREATED = "auth.token-created"
PERMISSION_GRANTED = "config.permission-granted"
_TYPES = {
    "token.create": TOKEN_CREATED,
    "token.revoke": "auth.token-revoked",
    "key.rotate": "config.key-rotated",
}
_GRANTED = ("operator", "administrator")
_NOT_CHANGES = ("target.test",)
_DONE = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "revoke": "revoked",
    "rotate": "rotated",
    "remove": "removed",
}
_MANY = {
    TOKEN_CREATED: "API tokens were created",
    "auth.token-revoked": "API tokens were revoked",
    PERMISSION_GRANTED: "API tokens were given a role that may change something",
    "config.key-rotated": "rotations of keys",
}


@dataclass(frozen=True, slots=True)
class Noted:
    """What an announcement needs of an entry. ``role`` is that of a token that was created."""

    sequence: int
    moment: datetime
    actor: str
    action: str
    subject: str
    hash: bytes
    role: str = ""


def events_of(entries: Sequence[Noted]) -> list[Event]:
    """The events of the entries of a batch, in order of the type's first entry."""
    by_type: dict[str, list[Noted]] = {}
    for entry in entries:
        for event_type in _types_of(entry):
            by_type.setdefault(event_type, []).append(entry)
    return [
        _event(event_type, group)
        for event_type, noted in by_type.items()
        for group in _bounded(_groups(event_type, noted))
    ]


def _types_of(entry: Noted) -> tuple[str, ...]:
    if entry.action in _NOT_CHANGES:
        return ()
    event_type = _TYPES.get(entry.action, CHANGED)
    if event_type == TOKEN_CREATED and entry.role in _GRANTED:
        return (event_type, PERMISSION_GRANTED)
    return (event_type,)


def _groups(event_type: str, noted: Iterable[Noted]) -> list[list[Noted]]:
    """The entries that become one event: changes by who made them, anything else by itself."""
    if event_type != CHANGED:
        return [[each] for each in noted]
    by_actor: dict[str, list[Noted]] = {}
    for each in noted:
        by_actor.setdefault(each.actor, []).append(each)
    return list(by_actor.values())


def _bounded(groups: list[list[Noted]]) -> list[list[Noted]]:
    if len(groups) <= MOST_OF_A_TYPE:
        return groups
    first, rest = groups[: MOST_OF_A_TYPE - 1], groups[MOST_OF_A_TYPE - 1 :]
    together = sorted((each for group in rest for each in group), key=lambda each: each.sequence)
    return [*first, together]


def _event(event_type: str, noted: Sequence[Noted]) -> Event:
    last = noted[-1]
    return Event(
        event_id=f"audit-config-{last.sequence}-{event_type}-{last.hash.hex()[:16]}",
        type=event_type,
        severity=default_severity(event_type),
        timestamp=last.moment,
        subject=_subject(event_type, noted),
        summary=_summary(noted),
        actor=_common(each.actor for each in noted),
        labels=_labels(noted),
    )


def _subject(event_type: str, noted: Sequence[Noted]) -> str:
    actor = _common(each.actor for each in noted)
    if len(noted) > 1:
        many = _MANY.get(event_type, "changes of the configuration of notifications")
        return f"{len(noted):,} {many}, by {actor}"
    (entry,) = noted
    kind, _, name = entry.subject.partition("/")
    what = f"API token {name}" if kind == "token" else f"{kind} {name}".strip()
    if event_type == PERMISSION_GRANTED:
        return f"{what} was given the role {entry.role}, by {actor}"
    verb = entry.action.rpartition(".")[2]
    was = "were" if kind == "settings" else "was"
    return f"{what} {was} {_DONE.get(verb, verb)}, by {actor}"


def _summary(noted: Sequence[Noted]) -> str:
    lines = [
        f"{each.moment:%Y-%m-%d %H:%M:%S} UTC: {each.action} {each.subject}, by {each.actor} "
        f"(entry {each.sequence})"
        for each in noted[:MOST_LINES]
    ]
    if len(noted) > MOST_LINES:
        lines.append(f"and {len(noted) - MOST_LINES:,} more")
    return "\n".join([*lines, "", "The audit log of Config says what they were before and after."])


def _labels(noted: Sequence[Noted]) -> Mapping[str, str]:
    labels = {
        "action": _common(each.action for each in noted),
        "what": _common(each.subject for each in noted),
        "count": str(len(noted)),
        "audit_entry": str(noted[-1].sequence),
    }
    if len(noted) == 1 and noted[0].role:
        labels["role"] = noted[0].role
    return labels


def _common(texts: Iterable[str]) -> str:
    different = set(texts)
    return different.pop() if len(different) == 1 else SEVERAL
