"""The form of a silence, as a request: which events, when, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never

from ibs_notify.console.forms import Form
from ibs_notify.console.wording.local_time import read_moment
from ibs_notify.domain import weekly
from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.time_zone import zone_of, zone_problem
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1.router_service_pb2 import CreateSilenceRequest, Silence

MORNING = time(8)
SATURDAY = 5
NAMES = {
    "silence.rule": "rule",
    "silence.comment": "comment",
    "silence.start_time": "from",
    "silence.end_time": "until",
    "silence.weekly": "weekly",
    "silence.time_zone": "time_zone",
    "from": "from",
    "until": "until",
}


class When(StrEnum):
    """The ways to say when; the first is what a new form has."""

    HOUR = "hour"
    FOUR_HOURS = "four-hours"
    MORNING = "morning"
    WEEKEND = "weekend"
    SPAN = "span"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` is None for now."""

    start: datetime | None
    end: datetime


@dataclass(frozen=True, slots=True)
class Windows:
    """The weekly windows of a form, on the clocks of ``zone``; ``text`` is how they were written.

    Without any it is every time of the week: when a silence that holds once begins is to come.
    """

    text: str = ""
    zone: str = ""
    spans: tuple[weekly.Span, ...] = ()

    def __contains__(self, moment: datetime) -> bool:
        """As the Router decides it: by the wall clock, which leaves out and repeats hours."""
        return not self.spans or weekly.holds(self.spans, in_zone(moment, zone_of(self.zone)))


def windows_of(form: Form, zone: str) -> Windows:
    """``InvalidArgument`` where a weekly one is not written out yet, or its zone is none."""
    if when_of(form) is not When.WEEKLY:
        return Windows()
    text, zone = form.text("weekly"), form.text("time_zone") or zone
    problem = zone_problem(zone)
    if problem:
        raise InvalidArgument.of([FieldViolation("time_zone", problem)])
    try:
        return Windows(text, zone, weekly.parse_weekly(text))
    except ValueError as error:
        raise InvalidArgument.of([FieldViolation("weekly", str(error))]) from None


def quick_spans(now: datetime, zone: str) -> Mapping[When, Span]:
    """What the quick choices mean at ``now``, on the clocks of ``zone``."""
    here = zone_of(zone)
    today = in_zone(now, here).date()

    def at(days: int, clock: time = time()) -> datetime:
        there = datetime.combine(today + timedelta(days=days), clock, tzinfo=here)
        return there.astimezone(UTC)

    until_saturday = (SATURDAY - today.weekday()) % 7
    is_weekend = today.weekday() >= SATURDAY
    monday = 7 - today.weekday() if is_weekend else until_saturday + 2
    return {
        When.HOUR: Span(None, now + timedelta(hours=1)),
        When.FOUR_HOURS: Span(None, now + timedelta(hours=4)),
        When.MORNING: Span(None, at(1, MORNING)),
        When.WEEKEND: Span(None if is_weekend else at(until_saturday), at(monday)),
    }


def request_of(form: Form, now: datetime, zone: str) -> CreateSilenceRequest:
    """``InvalidArgument`` names the fields whose times cannot be read."""
    wanted = Silence(rule=form.text("rule"), comment=form.text("comment"))
    match when_of(form):
        case When.SPAN:
            _set_times(wanted, read_moment(form.text("from"), zone, "from"), _until(form, zone))
        case When.WEEKLY:
            wanted.weekly = form.text("weekly")
            wanted.time_zone = form.text("time_zone")
            _set_times(wanted, None, _until(form, zone))
        case (When.HOUR | When.FOUR_HOURS | When.MORNING | When.WEEKEND) as quick:
            span = quick_spans(now, zone)[quick]
            _set_times(wanted, span.start, span.end)
        case _ as never:
            assert_never(never)
    return CreateSilenceRequest(silence=wanted)


def when_of(form: Form) -> When:
    """Which way was chosen."""
    return next((each for each in When if each == form.text("when")), When.HOUR)


def _until(form: Form, zone: str) -> datetime | None:
    return read_moment(form.text("until"), zone, "until")


def _set_times(wanted: Silence, start: datetime | None, end: datetime | None) -> None:
    for stamp, moment in ((wanted.start_time, start), (wanted.end_time, end)):
        if moment is not None:
            stamp.CopyFrom(moment_to_proto(moment) or stamp)
