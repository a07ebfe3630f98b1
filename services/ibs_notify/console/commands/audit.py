"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence

from ibs_notify.console.commands.line import line
from ibs_notify.console.rendering import iso_exact
from ironcore.notification.v1.audit_service_pb2 import ListAuditEntriesRequest


def listed(service: str, request: ListAuditEntriesRequest) -> str:
    """``audit list …``; ``service`` is empty for all."""
    return line(
        "audit",
        "list",
        flags=[
            ("service", service or None),
            ("actor", request.actor or None),
            ("action", request.action_prefix or None),
            ("subject", request.subject or None),
            ("since", iso_exact(request.since) or None),
            ("until", iso_exact(request.until) or None),
        ],
    )


def verify(known: Sequence[str] = ()) -> str:
    """``audit verify …``; ``known`` as ``SERVICE:NUMBER:HASH``."""
    return line("audit", "verify", flags=[("known", known)])
