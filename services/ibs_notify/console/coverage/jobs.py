"""How a kind of job fares: its last success, and the worst that came since. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ironcore.notification.v1.router_service_pb2 import EventRecord


@dataclass(frozen=True, slots=True)
class Job:
    """``since`` is the newest problem of each type after the last success, the worst first.

    ``before`` is the newest problem of all, where none came since.
    """

    title: str
    success: EventRecord | None
    since: Sequence[EventRecord]
    before: EventRecord | None


def job_of(title: str, success: EventRecord | None, problems: Iterable[EventRecord]) -> Job:
    """``problems`` are events of severity warning and above of the job's source, in any order."""
    last = success.sequence if success is not None else 0
    newest_first = sorted(problems, key=lambda each: -each.sequence)
    since: dict[tuple[int, str], EventRecord] = {}
    for each in newest_first:
        if each.sequence > last:
            since.setdefault((each.event.severity, each.event.type), each)
    worst_first = sorted(since.values(), key=lambda each: -each.event.severity)
    before = next(iter(newest_first), None) if not since else None
    return Job(title, success, worst_first, before)
