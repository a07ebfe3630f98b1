"""The audit log as people read it: a line for each act, and below it what it changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import click

from ibs_notify.cli.output import Table, moment, paragraph, print_table
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import audit_service_pb2 as pb

Found: TypeAlias = tuple[str, pb.AuditEntry]
"""An entry, and the service of whose log it is."""
Verified: TypeAlias = pb.VerifyAuditLogResponse
SET = "(set)"
_INDENT = "    "


def show_entries(found: Sequence[Found]) -> None:
    """Each with its changes."""
    if not found:
        click.echo("no such entries")
    for service, entry in found:
        click.echo(
            harmless(
                f"{moment(entry.time)}  {entry.actor}  {entry.action}  {entry.subject}  "
                f"({service} {entry.sequence})"
            )
        )
        for line in changes(entry.before, entry.after):
            paragraph(line, first=_INDENT, rest=_INDENT + "  ")


def changes(before: str, after: str) -> Iterator[str]:
    """``smtp.port: 25 → 587``, ``+ rule: …`` for what is new, ``- rule: …`` for what is gone."""
    former, latter = _flat(before), _flat(after)
    for path in sorted({*former, *latter}):
        old, new = former.get(path), latter.get(path)
        if old is None:
            yield f"+ {path}: {new}"
        elif new is None:
            yield f"- {path}: {old}"
        elif old == new == SET:
            yield f"{path}: replaced by another"
        else:
            yield f"{path}: {old} → {new}"


def show_verdicts(verified: Sequence[tuple[str, Verified]]) -> None:
    """A row for each log, and what to note of it."""
    rows = [
        (service, f"{each.count:,}", each.last_hash.hex() if each.count else "", _standing(each))
        for service, each in verified
    ]
    print_table(Table(("Service", "Entries", "Last hash", "Log"), rows))
    intact = [(service, each) for service, each in verified if each.intact and each.count]
    if intact:
        click.echo("note elsewhere, to compare with later:")
    for service, each in intact:
        click.echo(f"  --known {service}:{each.count}:{each.last_hash.hex()}")


def _standing(verdict: Verified) -> str:
    if verdict.intact:
        return "intact"
    return f"BROKEN at entry {verdict.broken_sequence:,}: {verdict.fault}"


def _flat(text: str) -> dict[str, str]:
    """Every value of a document as text, by the path to it."""
    try:
        whole = json.loads(text) if text else {}
    except ValueError:
        whole = text  # no document: of a later release, or not as it was written
    return dict(_values(whole, ""))


def _values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _values(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, str):
        yield path, value
    elif value != {}:
        yield path, json.dumps(value, ensure_ascii=False)
