"""A target that fails is told to the others: once, whatever is repeated, and never to itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.core import NOW, Core, death, group

from ibs_notify.router.aftermath import Way, take_outcomes
from ibs_notify.router.notices import MOST_TROUBLES
from ibs_notify.router.ports import Outcome, TargetTurned, Turn
from ibs_notify.router.silence import Silence
from ibs_notify.router.silences import insert_silence
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("router")

FAILING = TargetTurned("chat", "u-chat", Turn.FAILING, NOW, NOW, "CONNECT_FAILED", "refused")


class Desk(Core):
    """A Router with one group that tells all targets of everything."""

    async def take(self, *outcomes: Outcome, now: datetime = NOW) -> None:
        way = Way(lambda: self.table, self.silences)
        await self.database.write(lambda c: take_outcomes(c, outcomes, way, now))

    async def inbox(self) -> Sequence[str]:
        query = sa.select(EVENTS.c.event_id, EVENTS.c.type).order_by(EVENTS.c.seq)
        rows = await self.database.read(lambda c: c.execute(query).all())
        return [row.type.removeprefix("notification.") for row in rows]

    async def told(self) -> list[tuple[str, list[str]]]:
        """Each notice with the targets that are told of it."""
        query = sa.select(EVENTS.c.event_id, EVENTS.c.type).order_by(EVENTS.c.seq)
        rows = await self.database.read(lambda c: c.execute(query).all())
        return [
            (row.type.removeprefix("notification."), await self.target_of(row.event_id))
            for row in rows
        ]


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(database)
    await desk.configure(group("ops", "chat", "influx", "mail", "pager"))
    return desk


def turned(turn: Turn, since: datetime, at: datetime, **changes: str) -> TargetTurned:
    return replace(FAILING, turn=turn, since=since, at=at, **changes)


async def test_a_failing_target_is_told_to_all_others_and_never_to_itself(desk: Desk) -> None:
    await desk.take(FAILING)
    assert await desk.told() == [("target-failing", ["influx", "mail", "pager"])]


async def test_the_same_news_once_more_is_told_to_nobody(desk: Desk) -> None:
    later = NOW + timedelta(minutes=9)
    recovered = turned(Turn.RECOVERED, NOW, later)
    await desk.take(FAILING, recovered, now=later)
    await desk.take(FAILING, recovered, now=later)
    await desk.take(recovered, now=later + timedelta(days=2))
    assert await desk.inbox() == ["target-failing", "target-recovered"]


async def test_news_obey_the_rules_and_the_silences_of_their_groups(desk: Desk) -> None:
    await desk.configure(
        group("ops", "pager: severity >= critical", "mail: type = notification.target-failing")
    )
    await desk.take(FAILING)
    assert await desk.told() == [("target-failing", ["mail"])]
    until = NOW + timedelta(hours=1)
    silence = Silence("", "*", NOW, until, "", "UTC", "quiet", "me", NOW)
    await desk.database.write(lambda c: insert_silence(c, silence))
    other = turned(Turn.PAUSED, NOW, NOW, target="pager", target_uid="u-pager")
    await desk.configure(group("ops", "mail"))
    await desk.take(other)
    assert await desk.told() == [("target-failing", ["mail"]), ("target-paused", [])]


async def test_a_target_that_flaps_is_told_so_often_an_hour_and_the_last_word_is_true(
    desk: Desk,
) -> None:
    for minute in range(0, 40, 4):
        since, at = NOW + timedelta(minutes=minute), NOW + timedelta(minutes=minute + 2)
        await desk.take(turned(Turn.FAILING, since, since), now=since)
        await desk.take(turned(Turn.RECOVERED, since, at), now=at)
    assert await desk.inbox() == ["target-failing", "target-recovered"] * MOST_TROUBLES
    much_later = NOW + timedelta(hours=2)
    await desk.take(turned(Turn.FAILING, much_later, much_later), now=much_later)
    assert (await desk.inbox())[-1] == "target-failing"


async def test_troubles_hours_apart_are_all_told_though_the_router_hears_of_them_at_once(
    desk: Desk,
) -> None:
    back = NOW + timedelta(hours=12)
    moments = [NOW + timedelta(hours=2 * each) for each in range(MOST_TROUBLES + 1)]
    await desk.take(*(turned(Turn.FAILING, each, each) for each in moments), now=back)
    assert await desk.inbox() == ["target-failing"] * len(moments)


async def test_deaths_and_news_of_one_page_are_both_taken(desk: Desk) -> None:
    await desk.take(death("e1/0"), FAILING)
    assert sorted(await desk.inbox()) == ["delivery-dead", "target-failing"]


async def test_the_death_of_such_a_notice_makes_no_other(desk: Desk) -> None:
    await desk.take(FAILING)
    dead = replace(death("x/0", target="mail"), event_type="notification.target-failing")
    await desk.take(dead)
    assert await desk.inbox() == ["target-failing"]
