"""A watch of the Router, kept up over every outage as long as somebody looks."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.console.api import Api, Channels
from ibs_notify.console.live.audience import Audience
from ibs_notify.console.login.sessions import Session
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    InvalidArgument,
    NotificationError,
    OutOfRange,
    PermissionDenied,
    Reason,
    Unauthenticated,
    Unavailable,
)
from ibs_notify.rpc.backoff import pause
from ironcore.notification.v1 import router_service_pb2 as pb

log = logging.getLogger(__name__)

OUTAGE_SECONDS = 2.0
"""A Router that is started anew answers sooner, and nobody is bothered with that."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Why nothing is heard of what arrives, and since when."""

    why: str
    since: datetime


class Viewer:
    """One open page. ``is_cut``: its session's token is refused, or its rule is none."""

    def __init__(self, session: Session, audience: Audience) -> None:
        self.session = session
        self.audience = audience
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True
        self.audience.wake()


class Feed:
    """One call, made in the name of a session that looks; when that one leaves, of another.

    ``join`` and ``leave`` are who looks; the call begins with the first and ends with the last.
    ``outage`` is set while it finds nobody who answers: who looks is woken when that turns.
    """

    def __init__(self, rule: str, channels: Channels, clock: Clock) -> None:
        self._filter = pb.EventFilter(rule=rule)
        self._channels = channels
        self._clock = clock
        self._audiences: dict[bytes, Audience] = {}
        self._viewers: list[Viewer] = []
        self._token = ""
        self._failures = 0
        self._silent_since: datetime | None = None
        self.outage: Outage | None = None
        self._lender: Session | None = None
        self._call: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()
        self.settled = asyncio.Event()
        """Set once the watch is on, and nothing that is accepted from then on is missed; or once
        there is an outage.
        """

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def viewers_of(self, name: str) -> int:
        """How many look by the token of that name."""
        return sum(each.session.name == name for each in self._viewers)

    def join(self, session: Session, chosen: pb.EventFilter) -> Viewer:
        """From now on, somebody looks at what ``chosen`` says."""
        key = chosen.SerializeToString(deterministic=True)
        audience = self._audiences.setdefault(key, Audience(chosen))
        audience.viewers += 1
        viewer = Viewer(session, audience)
        self._viewers.append(viewer)
        self._joined.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="live")
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Somebody looks no longer."""
        self._viewers.remove(viewer)
        viewer.audience.viewers -= 1
        for key in [key for key, each in self._audiences.items() if not each.viewers]:
            del self._audiences[key]
        if self._call is not None and not self._lends(self._lender):
            self._call.cancel()

    async def close(self) -> None:
        """End the call; who still looks is cut."""
        for each in self._viewers:
            each.cut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while True:
                self._joined.clear()
                self._lender = self._choose()
                if self._lender is None:
                    await self._joined.wait()
                    continue
                self._call = asyncio.create_task(self._watch(self._lender))
                await asyncio.wait({self._call})
                if not self._call.cancelled():
                    await self._recover(self._lender, self._call.exception())
        finally:
            if self._call is not None and not self._call.done():
                self._call.cancel()
                await asyncio.wait({self._call})

    async def _watch(self, lender: Session) -> None:
        api = Api(self._channels, lender.metadata)
        request = pb.WatchEventsRequest(resume_token=self._token, filter=self._filter)
        async with aclosing(api.stream(api.router.WatchEvents, request)) as answers:
            async for answer in answers:
                self._failures = 0
                self._token = answer.resume_token
                self.settled.set()
                self._heard()
                if answer.HasField("event"):
                    for audience in self._audiences.values():
                        audience.tell(answer.event)
        raise _ended()

    async def _recover(self, lender: Session, error: BaseException | None) -> None:
        match error:
            case Unauthenticated() | PermissionDenied():
                self._cut(lender)
            case OutOfRange():
                self._token = ""
                for audience in self._audiences.values():
                    audience.tell_gap()
            case InvalidArgument():
                for each in self._viewers:
                    each.cut()
            case NotificationError():
                await self._pause(error)
            case _:
                log.error("the live view broke off", exc_info=error)
                await self._pause(_ended())

    async def _pause(self, error: NotificationError) -> None:
        self._failures += 1
        if self._failures == 1:
            log.info("the live view waits for the Router: %s", error)
        self._unheard(error)
        await asyncio.sleep(pause(self._failures, error, random.random()))  # noqa: S311

    def _heard(self) -> None:
        self._silent_since = None
        if self.outage is not None:
            self._turn(None)

    def _unheard(self, error: NotificationError) -> None:
        now = self._clock.now()
        self._silent_since = since = self._silent_since or now
        if self.outage is None and (now - since).total_seconds() >= OUTAGE_SECONDS:
            self._turn(Outage(error.message, since))
            self.settled.set()

    def _turn(self, outage: Outage | None) -> None:
        self.outage = outage
        for audience in self._audiences.values():
            audience.wake()

    def _cut(self, refused: Session) -> None:
        for each in self._viewers:
            if each.session is refused:
                each.cut()

    def _choose(self) -> Session | None:
        return next((each.session for each in self._viewers if self._may_lend(each)), None)

    def _lends(self, session: Session | None) -> bool:
        return any(each.session is session and self._may_lend(each) for each in self._viewers)

    def _may_lend(self, viewer: Viewer) -> bool:
        return not viewer.is_cut and viewer.session.is_live(self._clock.now())


def _ended() -> Unavailable:
    return Unavailable(Reason.SERVICE_UNREACHABLE, "the watch ended")
