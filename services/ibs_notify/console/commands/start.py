"""The first visit."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ironcore.notification.v1.router_service_pb2 import EmitRequest

_FLAGS = ("type", "subject", "summary", "resource")


def emit(request: EmitRequest) -> str:
    """``emit …``"""
    event = request.event
    return line("emit", flags=[(name, getattr(event, name) or None) for name in _FLAGS])
