"""The pages about an event's task, where the emitter names none."""

from __future__ import annotations

from urllib.parse import quote

from ironcore.notification.v1 import event_pb2


def complete_links(message: event_pb2.Event, public_url: str) -> None:
    """Fill in ``task_url`` and ``links.task_log`` below ``public_url``, which ends in no slash."""
    if not public_url or not message.task_id:
        return
    task = quote(message.task_id, safe="")
    if not message.task_url:
        message.task_url = f"{public_url}/#tasks/{task}"
    if "task_log" not in message.links:
        message.links["task_log"] = f"{public_url}/api2/json/tasks/{task}/log"
