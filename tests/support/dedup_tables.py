"""Deduplication in the Router's own tables, to be put to the test by random sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Group, Subscription
from ibs_notify.router.aftermath import take_ends
from ibs_notify.router.dispositions import State
from ibs_notify.router.identity import obligation_id
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from tests.support.core import NOW, Core, death
from tests.support.dedup import STARTING_LENGTH, SUBSCRIPTIONS, Answer

_TARGETS = dict(zip(SUBSCRIPTIONS, ("chat", "pager"), strict=True))


class OnTables:
    """A Router without its wire; a restart keeps nothing but the database.

    ``Deduplicating``. Open it before, close it after the sequences.
    """

    def __init__(self, core: Core, url: str) -> None:
        self._core = core
        self._url = url
        self._length = STARTING_LENGTH

    @classmethod
    async def open(cls, url: str) -> OnTables:
        database = await open_database(url)
        await upgrade(database, "router")
        subject = cls(Core(database), url)
        await subject.set_length(STARTING_LENGTH)
        return subject

    async def close(self) -> None:
        await self._core.database.close()

    async def emit(self, events: Sequence[Event], now: datetime) -> Sequence[Mapping[str, Answer]]:
        answers = []
        for event, routing in zip(events, await self._core.emit(*events, now=now), strict=True):
            of_event = {}
            for position, each in enumerate(routing.obligations):
                name = each.route.subscription_uid
                of_event[name] = Answer(
                    obligation_id(event.event_id, position),
                    each.decision.state is State.READY,
                    each.decision.pointer,
                    each.decision.suppressed,
                )
            answers.append(of_event)
        return answers

    async def die(self, subscription: str, obligation: str) -> None:
        ended = [death(obligation, target=_TARGETS[subscription])]
        await self._core.database.write(lambda c: take_ends(c, ended, NOW))

    async def set_length(self, length: timedelta) -> None:
        self._length = length
        subscriptions = tuple(
            Subscription(name, _TARGETS[name], f"severity >= {lowest.label}")
            for name, lowest in SUBSCRIPTIONS.items()
        )
        await self._core.configure(
            Group("ops", "u-ops", subscriptions=subscriptions, dedup_window=length)
        )

    async def restart(self) -> None:
        await self.close()
        self._core = Core(await open_database(self._url))
        await self.set_length(self._length)
