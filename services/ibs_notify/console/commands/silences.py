"""Silences."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ibs_notify.console.rendering import iso
from ironcore.notification.v1.router_service_pb2 import (
    CreateSilenceRequest,
    ExpireSilenceRequest,
    ListSilencesRequest,
)


def create(request: CreateSilenceRequest) -> str:
    """``silence create …``"""
    wanted = request.silence
    return line(
        "silence",
        "create",
        flags=[
            ("rule", wanted.rule),
            ("from", None if wanted.weekly else iso(wanted.start_time) or None),
            ("until", iso(wanted.end_time) or None),
            ("weekly", wanted.weekly or None),
            ("timezone", wanted.time_zone or None),
            ("comment", wanted.comment),
        ],
    )


def list_(request: ListSilencesRequest) -> str:
    """``silence list``"""
    return line(
        "silence", "list", flags=[("all", request.include_expired), ("text", request.text or None)]
    )


def expire(request: ExpireSilenceRequest) -> str:
    """``silence expire ID``"""
    return line("silence", "expire", request.silence_id)
