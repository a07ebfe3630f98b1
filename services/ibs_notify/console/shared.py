"""What many look at: asked for once, and told to all of the same role for a few seconds.

Open pages keep themselves current. Two hundred of them ask the services no more often than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ibs_notify.console.attempts import attempted
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1.config_service_pb2 import GetCallerRequest

if TYPE_CHECKING:
    from ibs_notify.console.visit import Visit

Found = Mapping[str, Any]
Load = Callable[["Visit"], Awaitable[Found]]
PROVED_FOR = timedelta(seconds=30)
"""So long may who showed a good token be told what others asked for."""
MOST = 200
"""Answers that are kept: one for each role and thing to look at."""
FAILURE_FOR = timedelta(seconds=4)
"""So long is not asked again what nobody answered: each who asks would wait for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, or why nothing was, and when it was asked for."""

    found: Found | NotificationError
    asked_at: datetime
    answered_at: datetime

    def serves(self, came: datetime, now: datetime, keep: timedelta) -> bool:
        """Whether it does for who came at ``came`` and wants nothing older than ``keep``."""
        if isinstance(self.found, NotificationError) and now < self.answered_at + FAILURE_FOR:
            return True
        return self.asked_at >= came or now < self.asked_at + keep


@dataclass(slots=True)
class _Slot:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: Answer | None = None


class Shared:
    """``ask`` answers from what is known; ``forget`` after a change, so that pages show it."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], _Slot] = {}

    async def ask(self, visit: Visit, name: str, load: Load, keep: timedelta) -> Answer:
        """What ``load`` finds, at most ``keep`` old. ``Unauthenticated`` is raised.

        ``name`` says what is looked at; roles may be shown different things of it.
        """
        slot, came = self._slot(visit, name), visit.now()
        async with slot.turn:
            answer = slot.answer
            if answer and answer.serves(came, visit.now(), keep) and await _is_proved(visit):
                return answer
            asked_at = visit.now()
            found = await attempted(load(visit))
            visit.session.proved = asked_at
            slot.answer = Answer(found, asked_at, visit.now())
            return slot.answer

    def known(self, visit: Visit, name: str) -> Answer | None:
        """What was answered last, however old it is."""
        slot = self._slots.get(_key(visit, name))
        return slot.answer if slot is not None else None

    def forget(self) -> None:
        """Ask anew for everything. What is being asked for just now is not kept either."""
        self._slots.clear()

    def _slot(self, visit: Visit, name: str) -> _Slot:
        key = _key(visit, name)
        if key not in self._slots and len(self._slots) >= MOST:
            self._slots.clear()
        return self._slots.setdefault(key, _Slot())


def _key(visit: Visit, name: str) -> tuple[str, str]:
    return visit.session.role or "", name


async def _is_proved(visit: Visit) -> bool:
    """Whether the visitor's token is good: a revoked one must not go on looking with others."""
    session = visit.session
    if session.role is None:
        return True
    if session.proved is None or visit.now() >= session.proved + PROVED_FOR:
        answer = await attempted(visit.api.call(visit.api.config.GetCaller, GetCallerRequest()))
        if isinstance(answer, NotificationError):
            return False
        session.proved = visit.now()
    return True
