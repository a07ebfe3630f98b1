"""A window closes when it is time, once, whatever clocks and configurations do meanwhile."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from ibs_notify.delivery.digests.windows import (
    CloseReason,
    Plans,
    Stream,
    Window,
    WindowReason,
    begin_of,
    delivery_id_of,
    former_schedule,
    judge,
)
from ibs_notify.delivery.model import Kind
from ibs_notify.domain.digest_calendar import Schedule, schedule_of
from ibs_notify.domain.group import Digest, Frequency, Group, InstallationSettings, Subscription
from ibs_notify.domain.target import InfluxDbSpec, SmtpSpec, Target, WebhookSpec
from ibs_notify.snapshot.model import Snapshot

STREAM = Stream(Kind.DIGEST, "compliance", "u-mail", ("a@x",))
NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def daily(at: str = "09:00", zone: str = "UTC") -> Schedule:
    return schedule_of(Digest("*", time=at, time_zone=zone), "UTC")


def window(opened_at: datetime = NOON, **fields: object) -> Window:
    return replace(Window(1, STREAM, "mail", 1, opened_at), **fields)  # type: ignore[arg-type]  # as the test needs them


def test_it_gathers_until_the_next_close() -> None:
    judgement = judge(window(), daily(), 1, NOON + HOUR, ())
    assert judgement.reason is WindowReason.GATHERS
    assert judgement.due_at == NOON + 21 * HOUR


def test_it_is_due_at_its_time_and_not_before() -> None:
    due = NOON + 21 * HOUR
    early = judge(window(), daily(), 1, due - timedelta(microseconds=1), ())
    assert early.reason is WindowReason.GATHERS
    judgement = judge(window(), daily(), 1, due, ())
    assert judgement.reason is WindowReason.DUE
    assert judgement.slot is not None
    assert judgement.slot.name == "2026-05-22"


def test_after_a_downtime_of_days_one_digest_catches_up() -> None:
    judgement = judge(window(), daily(), 1, NOON + 5 * DAY, ())
    assert judgement.slot is not None
    assert judgement.slot.name == "2026-05-26"
    following = judge(window(NOON + 5 * DAY), daily(), 1, NOON + 5 * DAY + HOUR, {"2026-05-26"})
    assert following.due_at == NOON + 5 * DAY + 21 * HOUR


def test_a_date_that_was_told_is_not_told_again_where_the_zone_moves_west() -> None:
    berlin, new_york = daily(zone="Europe/Berlin"), daily(zone="America/New_York")
    told = datetime(2026, 5, 21, 7, tzinfo=UTC)
    assert judge(window(told - DAY), berlin, 1, told, ()).reason is WindowReason.DUE
    judgement = judge(window(told), new_york, 2, told + 7 * HOUR, {"2026-05-21"})
    assert judgement.reason is WindowReason.GATHERS
    assert judgement.due_at == datetime(2026, 5, 22, 13, tzinfo=UTC)


def test_a_date_that_is_over_where_the_zone_moves_east_is_told_at_once() -> None:
    opened = datetime(2026, 5, 21, 13, tzinfo=UTC)
    judgement = judge(window(opened), daily(zone="Asia/Tokyo"), 2, opened + 12 * HOUR, ())
    assert judgement.slot is not None
    assert judgement.slot.name == "2026-05-22"


def test_it_is_let_be_by_a_process_that_has_not_seen_its_revision() -> None:
    judgement = judge(window(revision=9), None, 8, NOON + 5 * DAY, ())
    assert judgement.reason is WindowReason.CONFIG_BEHIND


def test_what_a_group_without_a_digest_has_gathered_goes_out_at_once() -> None:
    assert judge(window(), None, 1, NOON, ()).reason is WindowReason.NO_DIGEST


def test_a_reader_who_is_named_twice_in_other_letters_reads_once() -> None:
    twice = Stream(Kind.DIGEST, "compliance", "u-mail", ("team@x", "b@x", "Team@x"))
    assert twice.recipients == ("Team@x", "b@x")


@pytest.mark.parametrize("seed", range(20))
def test_nothing_waits_long_and_no_date_comes_twice_while_clocks_jump_and_plans_change(
    seed: int,
) -> None:
    """A year in which something is always gathered; looks now and then, and much mischief."""
    chance = random.Random(seed)
    zones = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")
    schedule, now, real = daily(zone="Europe/Berlin"), NOON, timedelta(0)
    names: list[str] = []
    held, waited, longest = window(now), timedelta(0), timedelta(0)
    for _ in range(5000):
        step = timedelta(minutes=chance.randint(1, 200))
        real += step
        waited += step
        now += step
        if chance.random() < 0.01:
            now += chance.choice((-10, -1, 1, 10)) * chance.random() * DAY
            waited = timedelta(0)
        if chance.random() < 0.01:
            time = f"{chance.randint(0, 23):02}:{chance.choice((0, 15, 30, 45)):02}"
            schedule = daily(time, chance.choice(zones))
        if held.opened_at > now:
            held = replace(held, opened_at=now)
        judgement = judge(held, schedule, 1, now, names)
        longest = max(longest, waited)
        if judgement.slot is not None:
            names.append(judgement.slot.name)
            held, waited = window(now), timedelta(0)
    assert len(names) == len(set(names))
    assert len(names) > real / DAY * 0.6
    # Dates that a clock was ahead of are told; those that it goes over again have to wait for more.
    assert longest < 22 * DAY


def test_a_period_begins_where_the_one_before_ended() -> None:
    closed_at = NOON + 21 * HOUR + timedelta(seconds=1)
    scheduled = window(reason=CloseReason.SCHEDULED)
    assert begin_of(scheduled, daily(), closed_at, None) == NOON - 3 * HOUR
    assert begin_of(scheduled, daily(), closed_at, NOON - HOUR) == NOON - HOUR
    assert begin_of(window(), daily(), NOON + HOUR, None) == NOON - 3 * HOUR
    assert begin_of(window(), None, closed_at, None) == NOON


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_group_that_loses_its_digest_leaves_the_period_as_it_was(zone: str) -> None:
    for schedule in (
        daily(zone=zone),
        Schedule(Frequency.HOURLY, time(0, 20), 0, zone),
        Schedule(Frequency.WEEKLY, time(9), 3, zone),
    ):
        now = NOON + timedelta(minutes=10)
        due_at = judge(window(), schedule, 1, now, ()).due_at
        gathering = window(due_at=due_at, period=schedule.frequency.value)
        closed = replace(gathering, reason=CloseReason.NO_DIGEST)
        said = begin_of(gathering, schedule, now, None)
        assert said < NOON
        assert begin_of(closed, former_schedule(closed, zone), now, None) == said
    for unknown in (window(), window(due_at=NOON, period="of a later release")):
        assert former_schedule(unknown, zone) is None


def test_a_stream_is_the_same_in_whatever_order_its_readers_are_named() -> None:
    one = Stream(Kind.DIGEST, "g", "t", ("a@x", "b@x"))
    other = Stream(Kind.DIGEST, "g", "t", ("b@x", "a@x"))
    assert one.audience == other.audience
    assert one == other
    assert delivery_id_of(one, "daily", "d") == delivery_id_of(other, "daily", "d")
    assert delivery_id_of(one, "daily", "d") != delivery_id_of(one, "hourly", "d")
    assert delivery_id_of(one, "daily", "d") != delivery_id_of(
        replace(one, group="h"), "daily", "d"
    )


# What a configuration wants


MAIL = Target("mail", "u-mail", SmtpSpec("127.0.0.1", 25, recipients=("team@x",)))
CHAT = Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/"))
INFLUX = Target("influx", "u-influx", InfluxDbSpec("http://127.0.0.1/", "o", "b"))


def plans(*groups: Group) -> Plans:
    targets = {each.uid: each for each in (MAIL, CHAT, INFLUX)}
    return Plans.of(Snapshot(3, InstallationSettings(time_zone="Europe/Vienna"), targets, groups))


def group(**fields: object) -> Group:
    subscriptions = (
        Subscription("s1", "mail", "*"),
        Subscription("s2", "chat", "*"),
        Subscription("s3", "influx", "*"),
    )
    return replace(Group("ops", "u-ops", subscriptions=subscriptions), **fields)  # type: ignore[arg-type]  # as the test needs them


def test_a_digest_that_sends_empty_ones_has_a_window_for_each_reader_but_metric_servers() -> None:
    wanted = plans(group(digest=Digest("*", send_empty=True))).standing
    assert wanted == {
        Stream(Kind.DIGEST, "ops", "u-mail", ("team@x",)): "mail",
        Stream(Kind.DIGEST, "ops", "u-chat"): "chat",
    }
    assert not plans(group(digest=Digest("*"))).standing


def test_the_weekly_summary_goes_to_each_reader_once_a_week() -> None:
    wanted = plans(group(weekly_summary=True))
    stream = Stream(Kind.SUMMARY, "ops", "u-chat")
    assert wanted.standing[stream] == "chat"
    schedule = wanted.schedule(stream)
    assert schedule is not None
    assert (schedule.frequency, schedule.zone) == (Frequency.WEEKLY, "Europe/Vienna")
    assert plans(group()).schedule(stream) is None


def test_a_digest_ends_with_its_group() -> None:
    stream = Stream(Kind.DIGEST, "ops", "u-chat")
    assert plans(group(digest=Digest("*", time_zone="Asia/Tokyo"))).zone(stream) == "Asia/Tokyo"
    assert plans(group()).schedule(stream) is None
    assert plans().schedule(stream) is None
    assert plans().zone(stream) == "Europe/Vienna"
