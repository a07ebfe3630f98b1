"""Deliveries."""

from __future__ import annotations

from ibs_notify.console.commands.line import Flag, line
from ibs_notify.console.rendering import iso_exact
from ibs_notify.console.wording.words import delivery_state
from ironcore.notification.v1.delivery_pb2 import DeliveryFilter
from ironcore.notification.v1.delivery_service_pb2 import (
    CancelDeliveriesRequest,
    GetDeliveryRequest,
    ListDeliveriesRequest,
    RetryDeliveriesRequest,
)

RELEASE = line("delivery", "release")
HOLD = line("delivery", "hold")


def list_(request: ListDeliveriesRequest) -> str:
    """``delivery list …``; of all pages together."""
    return line("delivery", "list", flags=_flags(request.filter))


def show(request: GetDeliveryRequest) -> str:
    """``delivery show ID``"""
    return line("delivery", "show", request.delivery_id)


def retry(request: RetryDeliveriesRequest) -> str:
    """``delivery retry …``, which asks before it touches more than one."""
    chosen = request.filter
    return line("delivery", "retry", *chosen.delivery_ids, flags=_flags(chosen))


def cancel(request: CancelDeliveriesRequest) -> str:
    """``delivery cancel …``, which asks before it touches more than one."""
    chosen = request.filter
    return line("delivery", "cancel", *chosen.delivery_ids, flags=_flags(chosen))


def _flags(chosen: DeliveryFilter) -> list[Flag]:
    return [
        ("target", chosen.targets),
        ("target-uid", chosen.target_uids),
        ("group", chosen.groups),
        ("state", [delivery_state(each).replace(" ", "-") for each in chosen.states]),
        ("reason", chosen.reasons),
        ("event", chosen.event_ids),
        ("after", iso_exact(chosen.after) or None),
        ("before", iso_exact(chosen.before) or None),
        ("troubled", chosen.troubled),
    ]
