"""The audit log as people read it: a line for each act, and below it what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import click

from ibs_notify.cli.output import Table, moment, paragraph, print_table
from ibs_notify.domain import document_changes
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import audit_service_pb2 as pb

Found: TypeAlias = tuple[str, pb.AuditEntry]
"""An entry, and the service of whose log it is."""
Verified: TypeAlias = pb.VerifyAuditLogResponse
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
    for each in document_changes.changes(before, after):
        if each.old is None:
            yield f"+ {each.path}: {each.new}"
        elif each.new is None:
            yield f"- {each.path}: {each.old}"
        elif each.replaces_secret:
            yield f"{each.path}: replaced by another"
        else:
            yield f"{each.path}: {each.old} → {each.new}"


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
