"""What an event may be: the bounds that the API documents. Only broken structure is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ibs_notify.domain.catalogue import TYPE_SYNTAX
from ibs_notify.domain.errors import FieldViolation
from ibs_notify.domain.event import Event

MAX_TYPE = 64
MAX_EVENT_ID = 128
MAX_SUBJECT = 1000
MAX_SUMMARY = 32_768
MAX_LINKS = 16
MAX_LABELS = 64
MAX_KEY = 64
MAX_LINK = 2048
MAX_LABEL = 1024
MAX_GROUPS = 32
MAX_BATCH = 1000
MAX_EVENT_BYTES = 256 * 1024
"""Of the whole event as it is stored: more than all fields at their bounds, in one-byte letters."""

_EVENT_ID = re.compile(r"[A-Za-z0-9._:/-]*")


def faults_of(event: Event) -> list[FieldViolation]:
    """Every fault of ``event``, not only the first. Lengths count characters."""
    faults: list[FieldViolation] = []
    if not event.type:
        faults.append(FieldViolation("type", "is missing"))
    elif len(event.type) > MAX_TYPE or TYPE_SYNTAX.fullmatch(event.type) is None:
        faults.append(
            FieldViolation(
                "type",
                f"is not of the form source.what: lower-case words joined by dots, "
                f"at most {MAX_TYPE} characters",
            )
        )
    if len(event.event_id) > MAX_EVENT_ID or _EVENT_ID.fullmatch(event.event_id) is None:
        faults.append(
            FieldViolation(
                "event_id",
                f"is not of at most {MAX_EVENT_ID} letters, digits, '.', '_', ':', '-' and '/'",
            )
        )
    for name, text, most in (
        ("subject", event.subject, MAX_SUBJECT),
        ("summary", event.summary, MAX_SUMMARY),
        ("task_id", event.task_id, 512),
        ("actor", event.actor, 256),
        ("resource", event.resource, 1024),
        ("task_url", event.task_url, 2048),
        ("dedup_key", event.dedup_key, 256),
    ):
        if len(text) > most:
            faults.append(FieldViolation(name, f"has {len(text)} characters; at most {most}"))
    if event.links:
        faults += _map_faults("links", event.links, MAX_LINKS, MAX_LINK)
    if event.labels:
        faults += _map_faults("labels", event.labels, MAX_LABELS, MAX_LABEL)
    if event.groups:
        faults += _group_faults(event.groups)
    return faults


def _map_faults(
    name: str, pairs: Mapping[str, str], most: int, longest: int
) -> list[FieldViolation]:
    faults: list[FieldViolation] = []
    if len(pairs) > most:
        faults.append(FieldViolation(name, f"has {len(pairs)} entries; at most {most}"))
    for key, value in pairs.items():
        if not key or len(key) > MAX_KEY:
            faults.append(
                FieldViolation(name, f"has a key that is empty or over {MAX_KEY} characters")
            )
        elif len(value) > longest:
            faults.append(
                FieldViolation(f"{name}[{key}]", f"has {len(value)} characters; at most {longest}")
            )
    return faults


def _group_faults(groups: tuple[str, ...]) -> list[FieldViolation]:
    if len(groups) > MAX_GROUPS:
        return [FieldViolation("groups", f"has {len(groups)} names; at most {MAX_GROUPS}")]
    return [
        FieldViolation(f"groups[{index}]", f"is empty or over {MAX_KEY} characters")
        for index, name in enumerate(groups)
        if not name or len(name) > MAX_KEY
    ]
