"""What the audit log says of acts on the queue."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from ibs_notify.audit.document import written
from ibs_notify.audit.entry import Act
from ibs_notify.delivery.model import Filter, State

QUEUE = "deliveries"
"""The subject where an act is about deliveries by a filter, or about all."""


def filtered_act(action: str, which: Filter, count: int) -> Act:
    """``delivery.retry`` or ``delivery.cancel`` of ``count`` deliveries that match ``which``."""
    return Act(action, QUEUE, after=written({"filter": _document(which), "count": count}))


def hold_act() -> Act:
    return Act("delivery.hold", QUEUE)


def release_act(count: int) -> Act:
    """``count`` is how many are sent by it."""
    return Act("delivery.release", QUEUE, after=written({"count": count}))


def resume_act(target: str) -> Act:
    """A target that failed or was paused is tried at once."""
    return Act("target.resume", f"target/{target}")


def flush_act(digest_id: str, group: str, target: str) -> Act:
    """A digest is sent before its time."""
    document = written({"group": group, "target": target})
    return Act("digest.flush", f"digest/{digest_id}", after=document)


def _document(which: Filter) -> dict[str, Any]:
    given = {each.name: getattr(which, each.name) for each in fields(which)}
    return {name: _plain(value) for name, value in given.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return [each.name.lower() if isinstance(each, State) else each for each in value]
