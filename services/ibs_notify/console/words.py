"""What the API calls things, in the words of the pages. Filters of the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from ironcore.notification.v1 import (
    delivery_pb2,
    delivery_service_pb2,
    disposition_pb2,
    event_pb2,
    token_pb2,
)

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def severity(value: int) -> str:
    """``error`` of ``SEVERITY_ERROR``; also the name of its colour in the stylesheet."""
    return _word(event_pb2.Severity.Name, value, "SEVERITY_")


def delivery_state(value: int) -> str:
    """``retry wait`` of ``DELIVERY_STATE_RETRY_WAIT``."""
    return _word(delivery_pb2.DeliveryState.Name, value, "DELIVERY_STATE_")


def delivery_kind(value: int) -> str:
    """``digest`` of ``DELIVERY_KIND_DIGEST``."""
    return _word(delivery_pb2.DeliveryKind.Name, value, "DELIVERY_KIND_")


def disposition_state(value: int) -> str:
    """``handed off`` of ``DISPOSITION_STATE_HANDED_OFF``."""
    return _word(disposition_pb2.DispositionState.Name, value, "DISPOSITION_STATE_")


def health(value: int) -> str:
    """``failing`` of ``TARGET_HEALTH_FAILING``; ``ok`` where nothing is known."""
    return _word(delivery_service_pb2.TargetHealth.Name, value, "TARGET_HEALTH_") or "ok"


def role(value: int) -> str:
    """``viewer`` of ``ROLE_VIEWER``."""
    return _word(token_pb2.Role.Name, value, "ROLE_")


def duration(value: Duration | timedelta) -> str:
    """``5 min``, ``1 h 30 min``, ``0 s``."""
    seconds = int((value.ToTimedelta() if isinstance(value, Duration) else value).total_seconds())
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def relative(ahead: timedelta) -> str:
    """``3 min ago``, ``in 2 h``, ``now``."""
    seconds = round(ahead.total_seconds())
    if abs(seconds) < 2:
        return "now"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
    text = f"{abs(seconds) // size} {unit}"
    return f"in {text}" if seconds > 0 else f"{text} ago"


def count(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def _word(name: Callable[[Any], str], value: int, prefix: str) -> str:
    try:
        text = name(value)
    except ValueError:
        return f"{value}"  # of a newer release
    word = text.removeprefix(prefix).lower().replace("_", " ")
    return "" if word == "unspecified" else word


FILTERS: Mapping[str, Callable[..., str]] = {
    "severity": severity,
    "delivery_state": delivery_state,
    "delivery_kind": delivery_kind,
    "disposition_state": disposition_state,
    "health": health,
    "role": role,
    "duration": duration,
    "thousands": count,
}
