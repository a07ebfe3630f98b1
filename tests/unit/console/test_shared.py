"""What many look at is asked for once, of the same role, by who may still look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from ibs_notify.console.login.sessions import Session
from ibs_notify.console.shared import FAILURE_FOR, PROVED_FOR, Shared
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import Reason, Unauthenticated, Unavailable
from ibs_notify.domain.principal import Role

NOW = datetime(2026, 5, 21, 12, tzinfo=UTC)
KEEP = timedelta(seconds=8)


@dataclass(slots=True)
class Stub:
    """As much of a visit as is asked: its session, the time, and a service that judges tokens."""

    session: Session
    moment: datetime = NOW
    is_revoked: bool = False
    judged: int = 0
    api: Any = None
    config: Any = None
    GetCaller: Any = None
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = self.config = self

    def now(self) -> datetime:
        return self.moment

    async def call(self, _method: Any, _request: Any) -> None:
        self.judged += 1
        if self.is_revoked:
            raise Unauthenticated(Reason.UNAUTHENTICATED, "revoked")


def visit(role: Role | None = Role.VIEWER) -> Stub:
    return Stub(Session("vera", role, (), NOW, NOW + timedelta(hours=12)))


class Loads:
    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    async def __call__(self, _: Visit) -> Mapping[str, Any]:
        self.count += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Unavailable(Reason.SERVICE_UNREACHABLE, "away")
        return {"number": self.count}


async def ask(shared: Shared, who: Stub, load: Loads, keep: timedelta = KEEP) -> Any:
    return (await shared.ask(cast(Visit, who), "trouble", load, keep)).found


async def test_many_at_once_are_one_question_also_where_nothing_is_to_be_kept() -> None:
    shared, load = Shared(), Loads()
    asked = (ask(shared, visit(None), load, timedelta()) for _ in range(50))
    assert await asyncio.gather(*asked) == [{"number": 1}] * 50


async def test_an_answer_serves_for_so_long_and_no_longer() -> None:
    shared, load, who = Shared(), Loads(), visit(None)
    await ask(shared, who, load)
    who.moment += KEEP - timedelta(seconds=1)
    assert await ask(shared, who, load) == {"number": 1}
    who.moment += timedelta(seconds=1)
    assert await ask(shared, who, load) == {"number": 2}


async def test_roles_are_told_apart() -> None:
    shared, load = Shared(), Loads()
    await ask(shared, visit(Role.ADMINISTRATOR), load)
    assert await ask(shared, visit(Role.VIEWER), load) == {"number": 2}


async def test_whose_token_was_revoked_is_not_told_what_others_asked_for() -> None:
    shared, load, other, who = Shared(), Loads(), visit(), visit()
    await ask(shared, other, load)
    who.is_revoked = True
    with pytest.raises(Unauthenticated):
        await ask(shared, who, load)


async def test_a_token_is_judged_now_and_then_and_not_each_time() -> None:
    shared, load, who = Shared(), Loads(), visit()
    for _ in range(60):
        await ask(shared, who, load)
        who.moment += timedelta(seconds=1)
    assert who.judged <= timedelta(seconds=60) / PROVED_FOR


async def test_after_a_change_everything_is_asked_anew_also_what_is_being_asked_for() -> None:
    shared, load, who = Shared(), Loads(), visit(None)
    under_way = asyncio.create_task(ask(shared, who, load))
    await asyncio.sleep(0)
    shared.forget()
    await under_way
    assert await ask(shared, who, load) == {"number": 2}


async def test_who_does_not_answer_is_not_asked_by_everybody() -> None:
    shared, load, who = Shared(), Loads(), visit(None)
    load.fails = True
    for _ in range(9):
        await ask(shared, who, load, timedelta())
    assert load.count == 1
    who.moment += FAILURE_FOR
    load.fails = False
    assert await ask(shared, who, load, timedelta()) == {"number": 2}
