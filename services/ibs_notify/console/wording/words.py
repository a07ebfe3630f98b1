"""What the API calls things, in the words of the pages. Filters of the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from ibs_notify.console.wording import meanings
from ibs_notify.domain.reason_words import reason
from ironcore.notification.v1 import (
    delivery_pb2,
    delivery_service_pb2,
    disposition_pb2,
    event_pb2,
    group_pb2,
    router_service_pb2,
    token_pb2,
)

_TONES: Mapping[int, str] = {
    delivery_pb2.DELIVERY_STATE_DELIVERED: "good",
    delivery_pb2.DELIVERY_STATE_DIGESTED: "good",
    delivery_pb2.DELIVERY_STATE_DEAD: "bad",
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT: "warn",
    delivery_pb2.DELIVERY_STATE_WAITING: "warn",
}
HELD, WAITING, FOR_DIGEST = "held", "waiting", "for the digest"
_DISPOSITIONS: Mapping[int, str] = {
    disposition_pb2.DISPOSITION_STATE_READY: HELD,
    disposition_pb2.DISPOSITION_STATE_HANDED_OFF: "sent",
    disposition_pb2.DISPOSITION_STATE_SILENCED: "silenced",
    disposition_pb2.DISPOSITION_STATE_SUPPRESSED: "a repeat",
    disposition_pb2.DISPOSITION_STATE_COALESCED: "sent by another group",
    disposition_pb2.DISPOSITION_STATE_COLLAPSED: "in a summary",
}
_SPOKEN: Mapping[str, str] = {
    "queued": WAITING,
    "leased": "being sent",
    "retry wait": "trying again",
    "digest open": FOR_DIGEST,
    "digested": "in a digest",
    "dead": "given up",
}
RECORDED = "RECORDED"
"""Why a metric server has an event: it counts it, and tells nobody."""
GATHERED = "GATHERED"
"""Why an event is in a digest."""
_CLOSE_REASONS: Mapping[str, str] = {
    "SCHEDULED": "at its time",
    "FLUSHED": "before its time, by hand",
    "NO_DIGEST": "when its group's digest was taken away",
}
DEFAULT_TIME = "09:00"
"""Of a digest that names none."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def severity(value: int) -> str:
    """``error`` of ``SEVERITY_ERROR``; also the name of its colour in the stylesheet."""
    return _word(event_pb2.Severity.Name, value, "SEVERITY_")


def delivery_state(value: int) -> str:
    """``retry wait`` of ``DELIVERY_STATE_RETRY_WAIT``."""
    return _word(delivery_pb2.DeliveryState.Name, value, "DELIVERY_STATE_")


def spoken(state: str) -> str:
    """A state as pages say it: what filters and commands call ``dead`` is ``given up``."""
    return _SPOKEN.get(state, state)


def delivery_tone(value: int) -> str:
    """The colour of a delivery's state: good, bad, warn or calm."""
    return _TONES.get(value, "calm")


def delivery_kind(value: int) -> str:
    """``digest`` of ``DELIVERY_KIND_DIGEST``."""
    return _word(delivery_pb2.DeliveryKind.Name, value, "DELIVERY_KIND_")


def digest_state(value: int) -> str:
    """``closing`` of ``DIGEST_WINDOW_STATE_CLOSING``."""
    name = delivery_service_pb2.DigestWindowState.Name
    return _word(name, value, "DIGEST_WINDOW_STATE_")


def close_reason(reason: str) -> str:
    """Why a digest was closed; one of a later release stays as it is."""
    return _CLOSE_REASONS.get(reason, reason)


def disposition_state(value: int) -> str:
    """``in a summary`` of ``DISPOSITION_STATE_COLLAPSED``: on pages and in their filters."""
    known = _DISPOSITIONS.get(value)
    return known or _word(disposition_pb2.DispositionState.Name, value, "DISPOSITION_STATE_")


def disposition(route: disposition_pb2.Disposition) -> str:
    """What became of an obligation, to people. What is ``ready`` in the API is held by its group,
    or only about to be handed on: it has a delivery then, or is counted, which nothing holds.
    """
    if route.state != disposition_pb2.DISPOSITION_STATE_READY:
        return disposition_state(route.state)
    if route.reason == GATHERED:
        return FOR_DIGEST
    return WAITING if route.delivery_id or route.reason == RECORDED else HELD


def group_scope(value: int) -> str:
    """``attached`` of ``GROUP_SCOPE_ATTACHED``."""
    return _word(group_pb2.GroupScope.Name, value, "GROUP_SCOPE_")


def digest_frequency(value: int) -> str:
    """``daily`` of ``DIGEST_FREQUENCY_DAILY``."""
    return _word(group_pb2.DigestFrequency.Name, value, "DIGEST_FREQUENCY_")


def weekday(value: int) -> str:
    """``Friday`` of ``WEEKDAY_FRIDAY``."""
    return _word(group_pb2.Weekday.Name, value, "WEEKDAY_").capitalize()


def weekly_at(group: group_pb2.Group) -> str:
    """When the weekly summary of a group goes: ``at 09:00 (Europe/Vienna)``."""
    digest = group.digest
    zone = digest.time_zone or "the setting's time zone"
    return f"at {digest.time or DEFAULT_TIME} ({zone})"


def schedule(digest: group_pb2.Digest) -> str:
    """``daily, at 09:00``, ``weekly, on Monday, at 09:00 (Europe/Vienna)``."""
    often = digest_frequency(digest.frequency) or "daily"
    time = digest.time or DEFAULT_TIME
    if often == "hourly":
        return f"hourly, at minute {time.rpartition(':')[2]}"
    day = f"on {weekday(digest.weekday) or 'Monday'}, " if often == "weekly" else ""
    zone = f" ({digest.time_zone})" if digest.time_zone else ""
    return f"{often}, {day}at {time}{zone}"


def mark(value: int) -> str:
    """``unread`` of ``INBOX_STATE_UNREAD``."""
    return _word(router_service_pb2.InboxState.Name, value, "INBOX_STATE_")


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


def seconds(value: Duration) -> str:
    """``0.034 s``, ``2.1 s``: of what is short."""
    took = value.ToTimedelta().total_seconds()
    return f"{took:.3f} s" if took < 1 else f"{took:.1f} s"


def relative(ahead: timedelta) -> str:
    """``3 min ago``, ``in 2 h 40 min``, ``now``: of what is awaited the smaller unit matters, too.

    The script ``console.js`` says the same while a page is open.
    """
    seconds = round(ahead.total_seconds())
    if abs(seconds) < 2:
        return "now"
    if seconds > 0:
        return f"in {duration(timedelta(seconds=seconds))}"
    size, unit = next((size, unit) for size, unit in _UNITS if -seconds >= size)
    return f"{-seconds // size} {unit} ago"


def count(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: int, noun: str) -> str:
    """``1 event``, ``1,200 events``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _word(name: Callable[[Any], str], value: int, prefix: str) -> str:
    try:
        text = name(value)
    except ValueError:
        return f"{value}"  # of a newer release
    word = text.removeprefix(prefix).lower().replace("_", " ")
    return "" if word == "unspecified" else word


FILTERS: Mapping[str, Callable[..., Any]] = {
    "reason": reason,
    "spoken": spoken,
    "seconds": seconds,
    "severity": severity,
    "delivery_state": delivery_state,
    "delivery_tone": delivery_tone,
    "delivery_kind": delivery_kind,
    "digest_state": digest_state,
    "close_reason": close_reason,
    "disposition": disposition,
    "disposition_state": disposition_state,
    "disposition_meaning": meanings.of_disposition,
    "group_scope": group_scope,
    "schedule": schedule,
    "health": health,
    "role": role,
    "duration": duration,
    "thousands": count,
    "weekly_at": weekly_at,
    "counted": counted,
    "mark": mark,
}
