"""The names that a template may use of a digest and of a weekly summary."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, assert_never

from ibs_notify.templates.shapes import NUMBER, SEVERITY, TEXT, TEXTS, Kind, Shape


def _record(**fields: Shape) -> Shape:
    return Shape(Kind.RECORD, fields=MappingProxyType(fields))


def _list(**fields: Shape) -> Shape:
    return Shape(Kind.LIST, items=_record(**fields))


_WINDOW: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "group": TEXT,
        "target": TEXT,
        "period": TEXT,
        "opened_at": TEXT,
        "closed_at": TEXT,
        "time_zone": TEXT,
        "window": TEXT,
        "headline": TEXT,
    }
)
_RESULTS: Final[Mapping[str, Shape]] = MappingProxyType(
    {"total": NUMBER, "failed": NUMBER, "warned": NUMBER, "succeeded": NUMBER, "other": NUMBER}
)
_TOLD: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "severity": SEVERITY,
        "type": TEXT,
        "count": NUMBER,
        "first_at": TEXT,
        "last_at": TEXT,
        "when": TEXT,
        "event_id": TEXT,
        "subject": TEXT,
        "resource": TEXT,
        "task_url": TEXT,
        "task_log": TEXT,
    }
)

DIGEST: Final = _record(
    **_WINDOW,
    **_RESULTS,
    worst=SEVERITY,
    severities=_list(severity=SEVERITY, count=NUMBER),
    failing=_list(**_TOLD),
    more_failing=NUMBER,
    lines=_list(
        **_TOLD,
        text=TEXT,
        took=TEXT,
        place=TEXT,
        duration_seconds=NUMBER,
        timed=NUMBER,
        event_ids=TEXTS,
    ),
    more_lines=NUMBER,
    more_events=NUMBER,
)

_TALLY: Final[Mapping[str, Shape]] = MappingProxyType(
    {**_RESULTS, "jobs": NUMBER, "success_rate": TEXT, "text": TEXT}
)

WEEKLY: Final = _record(
    **_WINDOW,
    **_TALLY,
    datastores=_list(name=TEXT, **_TALLY, sources=_list(name=TEXT, **_TALLY)),
    more_datastores=NUMBER,
    more_events=NUMBER,
    offenders=_list(resource=TEXT, type=TEXT, severity=SEVERITY, count=NUMBER),
    delivery=_record(
        text=TEXT,
        delivered=NUMBER,
        retried=NUMBER,
        dead=NUMBER,
        cancelled=NUMBER,
        median_seconds=NUMBER,
        p95_seconds=NUMBER,
        median=TEXT,
        p95=TEXT,
        failing_targets=_list(name=TEXT, since=TEXT, when=TEXT, reason=TEXT),
        more_failing_targets=NUMBER,
    ),
)

REPORTS: Final[Mapping[str, Shape]] = MappingProxyType({"digest": DIGEST, "weekly": WEEKLY})


def nothing(shape: Shape) -> Any:
    """The value of ``shape`` that says nothing: what it is in a message about something else."""
    match shape.kind:
        case Kind.TEXT | Kind.SEVERITY:
            return ""
        case Kind.NUMBER:
            return 0
        case Kind.BOOLEAN:
            return False
        case Kind.LIST | Kind.PAIR:
            return []
        case Kind.MAP:
            return {}
        case Kind.RECORD:
            return {name: nothing(field) for name, field in shape.fields.items()}
        case _ as unreachable:
            assert_never(unreachable)
