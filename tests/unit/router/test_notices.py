"""What the Router writes into its own inbox: when, how often, and whether it helps."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
import pytest

from ibs_notify.cli.tree import notification
from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.match import Route
from ibs_notify.router.notices import (
    NOTICES,
    Hour,
    by_hour,
    ids_of_trouble,
    notice_of_no_recipients,
    notice_of_target,
    notice_of_unknown_groups,
    notices_of_ends,
)
from ibs_notify.router.ports import End, Ended, TargetTurned, Turn
from ibs_notify.rules.ast import Always

AT = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
DEATH = Ended(
    delivery_id="3f9a1c0b52d7",
    obligation_id="evt-1/0",
    event_id="evt-1",
    event_type="backup.failed",
    target="ops-smtp",
    target_uid="t1",
    group="ops-team",
    state=End.DEAD,
    reason="SMTP_5XX",
    detail="550 no such user",
    closed_at=AT,
)
CANCELLATION = replace(DEATH, state=End.CANCELLED, reason="BY_REQUEST", detail="")
MAIL = Route("ops-team", "ops-smtp", "t1", "s1", Always(), lacks_recipients=True)
EVENT = Event("evt-1", "backup.failed", Severity.ERROR, AT, resource="a:b")


def told(*ended: Ended, known: int = 0) -> list[Event]:
    """The notices, where ``known`` ends of each hour are known already."""
    hours = by_hour(ended)
    return notices_of_ends(hours, dict.fromkeys(hours, known))


def one(*ended: Ended, known: int = 0) -> Event:
    (notice,) = told(*ended, known=known)
    return notice


def commands(notice: Event) -> list[str]:
    return re.findall(r"^  ironcore-backup notification (.*)$", notice.summary, re.MULTILINE)


def test_a_death_says_what_which_why_and_what_to_do() -> None:
    notice = one(DEATH)
    assert (notice.type, notice.severity) == ("notification.delivery-dead", Severity.ERROR)
    assert notice.timestamp == AT
    assert (
        notice.subject == "A delivery to ops-smtp was given up: the mail server refused it for good"
    )
    for part in (
        "evt-1",
        "backup.failed",
        "ops-team",
        "SMTP_5XX: 550 no such user",
        "02:14:35 UTC",
    ):
        assert part in notice.summary
    assert commands(notice) == [
        "delivery show 3f9a1c0b52d7",
        "target test ops-smtp",
        "delivery retry 3f9a1c0b52d7",
    ]


def test_a_cancellation_is_a_notice_of_its_own() -> None:
    dead, cancelled = told(DEATH, CANCELLATION)
    assert (cancelled.type, cancelled.severity) == (
        "notification.delivery-cancelled",
        Severity.NOTICE,
    )
    assert cancelled.event_id != dead.event_id
    assert commands(cancelled) == ["delivery show 3f9a1c0b52d7", "delivery retry 3f9a1c0b52d7"]


def test_what_was_for_a_deleted_target_cannot_be_retried_and_no_command_says_so() -> None:
    notice = one(replace(CANCELLATION, reason="TARGET_DELETED"))
    assert commands(notice) == ["delivery show 3f9a1c0b52d7", "group show ops-team"]
    assert "Its target is deleted" in notice.summary


def test_poison_is_not_to_be_retried_blindly() -> None:
    assert "read Delivery's log" in one(replace(DEATH, reason="POISON")).summary


def deaths(count: int, *, first: int = 0) -> list[Ended]:
    return [replace(DEATH, delivery_id=f"{n:032x}") for n in range(first, first + count)]


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_ten_thousand_deaths_of_a_target_make_five_notices_at_most(batch: int) -> None:
    notices: dict[str, Event] = {}
    for known in range(0, 10_000, batch):
        ended = deaths(min(batch, 10_000 - known), first=known)
        notices |= {each.event_id: each for each in told(*ended, known=known)}
    assert 1 <= len(notices) <= 5
    assert list(notices.values())[-1].labels["count"] == "10000"


def test_several_deaths_are_one_notice_with_their_number_and_commands_for_all() -> None:
    notice = one(*deaths(3), replace(DEATH, reason="EXPIRED"))
    assert notice.subject == "4 deliveries to ops-smtp were given up within an hour"
    assert notice.labels["count"] == "4"
    assert notice.labels["reason"] == "EXPIRED"
    assert commands(notice) == [
        "delivery list --target ops-smtp --state dead",
        "target test ops-smtp",
        "delivery retry --target ops-smtp --state dead",
    ]


def test_the_number_counts_those_of_the_hour_that_were_known_before() -> None:
    assert told(*deaths(8), known=1) == []
    assert one(*deaths(9), known=1).labels["count"] == "10"


def test_targets_and_hours_are_told_apart() -> None:
    other = replace(DEATH, target="chat", target_uid="t2")
    later = replace(DEATH, closed_at=AT + timedelta(hours=1))
    same = replace(DEATH, closed_at=AT + timedelta(minutes=45))
    assert list(by_hour([DEATH, other, later, same])) == [
        Hour("t1", End.DEAD, AT.replace(minute=0, second=0)),
        Hour("t2", End.DEAD, AT.replace(minute=0, second=0)),
        Hour("t1", End.DEAD, AT.replace(hour=3, minute=0, second=0)),
    ]
    assert len({each.event_id for each in told(DEATH, other, later, same)}) == 3


def test_the_same_deaths_make_the_same_notice() -> None:
    assert told(*deaths(12)) == told(*deaths(12))
    assert re.fullmatch(r"notice-delivery-dead-[0-9a-f]{16}-2026-05-21", one(DEATH).event_id)


@pytest.mark.parametrize("type_", sorted(NOTICES))
def test_no_notice_is_made_of_a_notice(type_: str) -> None:
    assert told(replace(DEATH, event_type=type_)) == []
    notice = replace(EVENT, type=type_, groups=("gone",))
    assert notice_of_no_recipients(MAIL, notice, AT) is None
    assert notice_of_unknown_groups((), notice, AT) is None


def test_the_death_of_a_digest_is_told() -> None:
    assert len(told(replace(DEATH, event_type="notification.digest"))) == 1


def no_recipients(route: Route = MAIL, event: Event = EVENT, at: datetime = AT) -> Event:
    notice = notice_of_no_recipients(route, event, at)
    assert notice is not None
    return notice


def test_mail_to_nobody_says_where_to_name_somebody() -> None:
    notice = no_recipients()
    assert (notice.type, notice.severity) == ("notification.no-recipients", Severity.WARNING)
    assert notice.subject == "Mail of group ops-team by target ops-smtp has no recipient"
    assert "evt-1" in notice.summary
    assert commands(notice) == [
        "group target update ops-team ops-smtp --recipient ADDRESS",
        "target update ops-smtp --to ADDRESS",
        "settings update --default-recipient ADDRESS",
    ]


def test_a_route_that_has_recipients_or_needs_none_makes_no_notice() -> None:
    for route in (
        replace(MAIL, lacks_recipients=False, recipients=("a@x",)),
        replace(MAIL, lacks_recipients=False),
    ):
        assert notice_of_no_recipients(route, EVENT, AT) is None


def test_mail_to_nobody_is_told_once_a_day_for_each_group() -> None:
    ids = {
        no_recipients().event_id,
        no_recipients(event=replace(EVENT, event_id="evt-2")).event_id,
        no_recipients(at=AT + timedelta(hours=21)).event_id,
    }
    assert len(ids) == 1
    ids.add(no_recipients(at=AT + timedelta(days=1)).event_id)
    ids.add(no_recipients(replace(MAIL, group="on-call")).event_id)
    assert len(ids) == 3


def unknown(*names: str) -> Event:
    notice = notice_of_unknown_groups({"ops-team"}, replace(EVENT, groups=names), AT)
    assert notice is not None
    return notice


def test_a_group_that_does_not_exist_is_named_with_the_event_and_can_be_made() -> None:
    notice = unknown("ops-team", "dba")
    assert (notice.type, notice.severity) == ("notification.unknown-group", Severity.WARNING)
    assert notice.subject == (
        "An event of type backup.failed names a group that does not exist: 'dba'"
    )
    assert "evt-1" in notice.summary
    assert notice.resource == EVENT.resource
    assert commands(notice) == ["group list", "group create --name dba --scope selected"]


def test_known_groups_and_none_make_no_notice() -> None:
    for names in ((), ("ops-team",)):
        event = replace(EVENT, groups=names)
        assert notice_of_unknown_groups({"ops-team"}, event, AT) is None


def test_an_unknown_group_is_told_once_a_day_whichever_event_names_it() -> None:
    other = replace(EVENT, event_id="evt-2", type="sync.failed", groups=("dba",))
    notice = notice_of_unknown_groups((), other, AT)
    assert notice is not None
    assert unknown("dba").event_id == notice.event_id == unknown("dba", "dba").event_id
    assert unknown("dbb").event_id != notice.event_id


def test_a_name_that_no_group_may_have_is_in_no_command() -> None:
    assert commands(unknown("; rm -rf /\n", "-x")) == ["group list"]


TURNED = TargetTurned("chat", "u-chat", Turn.FAILING, AT, AT, "CONNECT_FAILED", "port 443: refused")
RECOVERED = replace(TURNED, turn=Turn.RECOVERED, at=AT + timedelta(hours=1))
PAUSED = replace(TURNED, turn=Turn.PAUSED, reason="HTTP_GONE", detail="410")


def test_a_target_that_fails_says_why_and_that_nothing_is_lost() -> None:
    notice = notice_of_target(TURNED)
    assert (notice.type, notice.severity) == ("notification.target-failing", Severity.ERROR)
    assert (
        notice.subject == "Target chat does not accept notifications: no connection to the server"
    )
    assert "port 443: refused" in notice.summary
    assert "Nothing is lost" in notice.summary
    assert commands(notice) == ["target show chat", "target test chat", "target resume chat"]
    assert notice.labels["target_uid"] == "u-chat"


def test_a_recovery_says_how_long_it_took_and_belongs_to_its_trouble() -> None:
    notice = notice_of_target(RECOVERED)
    assert (notice.type, notice.severity) == ("notification.target-recovered", Severity.NOTICE)
    assert "1:00:00" in notice.summary
    assert notice.resource == notice_of_target(TURNED).resource
    assert notice_of_target(TURNED).event_id in ids_of_trouble(RECOVERED)
    assert notice_of_target(PAUSED).event_id in ids_of_trouble(RECOVERED)
    other = replace(RECOVERED, since=AT + timedelta(minutes=1))
    assert notice_of_target(TURNED).event_id not in ids_of_trouble(other)


def test_a_paused_target_says_how_it_goes_on() -> None:
    notice = notice_of_target(PAUSED)
    assert (notice.type, notice.severity) == ("notification.target-paused", Severity.WARNING)
    assert "target resume chat" in commands(notice)


def every_notice() -> Iterator[Event]:
    yield notice_of_target(TURNED)
    yield notice_of_target(RECOVERED)
    yield notice_of_target(replace(PAUSED, target="t" * 63, detail="d" * 1024))
    yield one(DEATH)
    yield one(*deaths(10))
    yield one(CANCELLATION)
    yield one(replace(CANCELLATION, reason="TARGET_DELETED"))
    yield no_recipients()
    yield unknown(*(f"{n:02}" + "\x00" * 62 for n in range(32)))
    yield unknown("dba")
    yield one(replace(DEATH, target="t" * 63, group="g" * 63, detail="d" * 1024))


def test_every_notice_is_an_event_that_the_api_would_take() -> None:
    for notice in every_notice():
        assert faults_of(notice) == []
        assert notice.type in NOTICES


def parse(line: str) -> None:
    """Fails where the command line would refuse ``line``."""
    command: click.Command | None = notification
    arguments = shlex.split(line)
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), arguments.pop(0))
    assert command is not None, line
    command.make_context(line, arguments)


def test_every_command_of_a_notice_exists() -> None:
    for notice in every_notice():
        assert commands(notice)
        for command in commands(notice):
            parse(command)
