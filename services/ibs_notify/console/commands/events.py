"""Events: a view of the inbox, and why."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ibs_notify.console.rendering import iso_exact
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.event_filter import DISPOSITIONS
from ironcore.notification.v1 import router_service_pb2 as pb

_MARKS = {
    (pb.INBOX_STATE_UNREAD,): ("inbox", "list", "--unread"),
    (pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ): ("inbox", "list", "--all"),
    (pb.INBOX_STATE_ARCHIVED,): ("inbox", "list", "--archived"),
    (): ("event", "list"),
}
_DISPOSITION_WORDS = {number: word for word, number in DISPOSITIONS.items()}


def listing(chosen: pb.EventFilter) -> str:
    """``inbox list …``, or ``event list …`` where it is about all marks."""
    severity = Severity(chosen.min_severity).label if chosen.min_severity else None
    return line(
        *_MARKS[tuple(chosen.inbox_states)],
        flags=[
            ("source", chosen.sources),
            ("type", chosen.types),
            ("min-severity", severity),
            ("resource", chosen.resource or None),
            ("task-id", chosen.task_id or None),
            ("actor", chosen.actor or None),
            ("unmatched", chosen.unmatched),
            ("collapsed-into", chosen.collapsed_into or None),
            ("after", iso_exact(chosen.after) or None),
            ("before", iso_exact(chosen.before) or None),
            ("text", chosen.text or None),
            ("rule", chosen.rule or None),
            ("group", chosen.groups),
            ("disposition", [_DISPOSITION_WORDS[each] for each in chosen.dispositions]),
        ],
    )


def explaining(event_id: str, target: str = "") -> str:
    """``explain ID``."""
    return line("explain", event_id, flags=[("target", target or None), ("why-not", bool(target))])
