"""Datastores."""

from __future__ import annotations

from ibs_notify.console.commands.line import line
from ironcore.notification.v1.config_service_pb2 import (
    AttachResourceRequest,
    DetachResourceRequest,
)


def attach(request: AttachResourceRequest) -> str:
    """``group attach …``"""
    return line("group", "attach", flags=_flags(request))


def detach(request: DetachResourceRequest) -> str:
    """``group detach …``"""
    return line("group", "detach", flags=_flags(request))


def _flags(request: AttachResourceRequest | DetachResourceRequest) -> list[tuple[str, str]]:
    return [("group", request.group), ("resource", request.resource)]
