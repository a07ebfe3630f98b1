"""What a group's rate limit holds."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ironcore.notification.v1.router_service_pb2 import GetGroupStatusRequest


def status(request: GetGroupStatusRequest) -> str:
    """``group status NAME``; of all groups where it names none."""
    return line("group", "status", *filter(None, [request.group]))
