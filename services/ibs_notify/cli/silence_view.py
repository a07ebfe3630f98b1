"""Silences as people see them: in local time, and where they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.cli.output import Table, print_fields, print_table
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import router_service_pb2 as pb

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def show_silences(silences: Sequence[pb.Silence], now: datetime, *, empty: str) -> None:
    """A row for each."""
    print_table(
        Table(
            ("Id", "Now", "When", "Rule", "Author", "Comment"),
            [
                (
                    each.silence_id,
                    standing(each, now),
                    when(each),
                    each.rule,
                    each.author,
                    each.comment,
                )
                for each in silences
            ],
            empty=empty,
        )
    )


def show_silence(silence: pb.Silence, now: datetime) -> None:
    """Every field of one."""
    made = _local(silence.create_time) if silence.HasField("create_time") else ""
    print_fields(
        {
            "Id": silence.silence_id,
            "Now": standing(silence, now),
            "When": when(silence),
            "Rule": silence.rule,
            "Author": silence.author,
            "Comment": silence.comment,
            "Made": made,
        }
    )


def standing(silence: pb.Silence, now: datetime) -> str:
    """``active now, ends in 3 h``, ``begins in 2 d``, ``ended``; else ``not now``.

    A weekly one ends and begins with its windows.
    """
    ahead = timedelta(0)
    if silence.HasField("next_change_time"):
        ahead = moment_from_proto(silence.next_change_time) - now
    if silence.active:
        return f"active now, ends in {roughly(ahead)}" if ahead > timedelta(0) else "active now"
    if ahead > timedelta(0):
        return f"begins in {roughly(ahead)}"
    if silence.HasField("end_time") and moment_from_proto(silence.end_time) <= now:
        return "ended"
    return "not now"


def when(silence: pb.Silence) -> str:
    """``2026-05-21 22:00 CEST to 2026-05-22 06:00 CEST``, or ``every sat 22:00-24:00 UTC``."""
    end = _local(silence.end_time) if silence.HasField("end_time") else ""
    if silence.weekly:
        zone = f" {silence.time_zone}" if silence.time_zone else ""
        return f"every {silence.weekly}{zone}" + (f", until {end}" if end else "")
    return f"{_local(silence.start_time)} to {end}"


def roughly(span: timedelta) -> str:
    """``3 h``: the largest unit that is there twice, rounded; ``45 s`` below two minutes."""
    for size, unit in _UNITS:
        if span >= 2 * size:
            return f"{round(span / size)} {unit}"
    return f"{round(span.total_seconds())} s"


def _local(stamp: Timestamp) -> str:
    try:
        return f"{moment_from_proto(stamp).astimezone():%Y-%m-%d %H:%M %Z}"
    except (ValueError, OverflowError):
        return "out of range"
