"""How targets fare: asked of Delivery for all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from textwrap import shorten

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console.api import Api
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.targets.recipients import ask_unaddressed
from ibs_notify.console.targets.sparkline import Sparkline, sparkline
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import Target

SECONDS = 3.0
"""A page of targets is not kept waiting for Delivery any longer."""
MOST_AT_ONCE = 1000
"""So many targets does Delivery tell of in one answer."""
MOST_WORDS = 80
"""Characters of what a peer answered, where it is one thing among others."""
EXPIRES_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Standing:
    """A target's health in a word, with its colour; ``status`` is what Delivery says."""

    word: str
    tone: str
    status: pb.GetTargetStatusResponse
    lacks_recipients: bool = False
    """Whether it has mails that nobody receives, which wait."""
    is_of_before: bool = False
    """Whether the last attempt was made before the target was changed: perhaps at another place."""

    @property
    def is_paused(self) -> bool:
        return self.status.health == pb.TARGET_HEALTH_PAUSED

    @property
    def takes_nothing(self) -> bool:
        """Whether it is paused, or failed each time of late: what coverage calls a target that
        reaches nobody.
        """
        return self.can_resume or self.status.HasField("failing_since")

    @property
    def is_recovering(self) -> bool:
        """Whether it takes again what it is sent: how it failed is of the past."""
        return self.status.health == pb.TARGET_HEALTH_RECOVERING

    @property
    def since(self) -> datetime | None:
        """Since when it is paused; else since when it fails, or failed before it recovered."""
        trouble = moment_of(self.status.trouble_since)
        return (self.is_paused and trouble) or moment_of(self.status.failing_since) or trouble

    @property
    def can_resume(self) -> bool:
        """Whether it makes sense to try it again now."""
        return self.status.health in (pb.TARGET_HEALTH_PAUSED, pb.TARGET_HEALTH_FAILING)

    def is_to_be_tried_later(self, now: datetime) -> bool:
        """Whether the next try of a target that fails is still to come."""
        return self.next_try is not None and self.next_try > now

    @property
    def next_try(self) -> datetime | None:
        """When one delivery is tried, of a target that fails."""
        return moment_of(self.status.probe_time)

    @property
    def last_failed(self) -> bool:
        """Whether the last attempt failed."""
        return _has_failed_last(self.status)

    @property
    def last_answer(self) -> str:
        """What the last failed attempt was answered: its code and first words; else nothing."""
        if not self.last_failed:
            return ""
        code = str(self.status.last_code or "")
        words = shorten(self.status.last_failure, MOST_WORDS, placeholder=" …")
        return words if words.startswith(code) else f"{code} {words}"

    @property
    def is_in_trouble(self) -> bool:
        """Whether something is to be said of it where only what is wrong is listed."""
        return self.word == "disabled" or self.tone in ("warn", "bad")

    @property
    def was_tried(self) -> bool:
        return self.status.HasField("last_success_time") or self.last_failed


@dataclass(frozen=True, slots=True)
class Health:
    """By uid. ``unknown`` says why nothing is known, where that is so."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    lines: Mapping[str, Sparkline] = field(default_factory=dict)
    held_since: datetime | None = None
    unknown: str = ""


async def ask_health(
    api: Api, targets: Sequence[Target], now: datetime, *, with_lines: bool = True
) -> Health:
    """One answer for all ``targets``: where Delivery is away, that is said and not raised."""
    if not targets:
        return Health()
    try:
        statuses, lines, lacking = await asyncio.gather(
            _statuses(api, [each.uid for each in targets]),
            _lines(api, targets if with_lines else (), now),
            ask_unaddressed(api, targets),
        )
    except NotificationError as error:
        return Health(unknown=error.message)
    except TimeoutError:
        return Health(unknown="Delivery does not answer in time")
    held = (each.held_since for each in statuses.values() if each.HasField("held_since"))
    return Health(
        {
            each.uid: standing(each, statuses[each.uid], lacks_recipients=each.name in lacking)
            for each in targets
        },
        lines,
        moment_of(next(held, None)),
    )


async def _statuses(api: Api, uids: Sequence[str]) -> Mapping[str, pb.GetTargetStatusResponse]:
    """``TimeoutError`` where all of them together take too long."""
    found: dict[str, pb.GetTargetStatusResponse] = {}
    async with asyncio.timeout(SECONDS):
        for start in range(0, len(uids), MOST_AT_ONCE):
            part = uids[start : start + MOST_AT_ONCE]
            request = pb.ListTargetStatusesRequest(target_uids=part, page_size=MOST_AT_ONCE)
            answer = await api.call(api.delivery.ListTargetStatuses, request, timeout=SECONDS)
            found |= {each.target_uid: each.status for each in answer.target_statuses}
    return found


def standing(
    target: Target, status: pb.GetTargetStatusResponse, *, lacks_recipients: bool = False
) -> Standing:
    """What is said of a target, the gravest first."""
    word, tone = _word(target, status, lacks_recipients=lacks_recipients)
    return Standing(word, tone, status, lacks_recipients, _is_of_before(target, status))


def _word(
    target: Target, status: pb.GetTargetStatusResponse, *, lacks_recipients: bool
) -> tuple[str, str]:
    if target.disabled:
        return "disabled", "warn" if status.open_count else "calm"
    match status.health:
        case pb.TARGET_HEALTH_PAUSED:
            return "paused", "bad"
        case pb.TARGET_HEALTH_FAILING:
            return "failing", "bad"
        case pb.TARGET_HEALTH_RECOVERING:
            return "recovering", "warn"
    if lacks_recipients:
        return "no recipient", "warn"
    if status.HasField("failing_since") or _has_failed_last(status):
        return "failed lately", "warn"
    if status.HasField("last_success_time"):
        is_of_before = _is_of_before(target, status)
        return ("not tried since its change", "calm") if is_of_before else ("ok", "good")
    return "no delivery yet", "calm"


def _is_of_before(target: Target, status: pb.GetTargetStatusResponse) -> bool:
    last = max(_instant(status.last_success_time), _instant(status.last_failure_time))
    return (0, 0) < last < _instant(target.update_time)


def certificate_tone(until: Timestamp, now: datetime) -> str:
    """bad where it has expired, warn where it soon does, else nothing."""
    moment = moment_of(until)
    if moment is None or moment - now > EXPIRES_SOON:
        return ""
    return "bad" if moment <= now else "warn"


async def _lines(api: Api, targets: Sequence[Target], now: datetime) -> Mapping[str, Sparkline]:
    """Empty where Delivery has no charts (of an older release) or does not answer."""
    if not targets:
        return {}
    request = pb.ChartDeliveriesRequest(targets=[each.name for each in targets])
    try:
        chart = await api.call(api.delivery.ChartDeliveries, request, timeout=SECONDS)
    except NotificationError:
        return {}
    found = {each.target_uid: sparkline(each.spans, now) for each in chart.series}
    return {each.uid: found.get(each.uid) or sparkline((), now) for each in targets}


def _has_failed_last(status: pb.GetTargetStatusResponse) -> bool:
    return _instant(status.last_failure_time) > _instant(status.last_success_time)


def _instant(stamp: Timestamp) -> tuple[int, int]:
    return stamp.seconds, stamp.nanos
