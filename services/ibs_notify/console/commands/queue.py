"""What a group's rate limit holds."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ibs_notify.console.words import disposition_state
from ironcore.notification.v1.router_service_pb2 import GetGroupStatusRequest, ListEventsRequest


def status(request: GetGroupStatusRequest) -> str:
    """``group status NAME``; of all groups where it names none."""
    return line("group", "status", *filter(None, [request.group]))


def waiting(request: ListEventsRequest) -> str:
    """``event list …`` of the events that wait in a group."""
    chosen = request.filter
    states = [disposition_state(each).replace(" ", "-") for each in chosen.dispositions]
    return line("event", "list", flags=[("group", chosen.groups), ("disposition", states)])
