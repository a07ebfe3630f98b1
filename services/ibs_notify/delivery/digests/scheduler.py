"""Closes the windows of digests when it is time, one replica at a time, and has them made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import sqlalchemy as sa

from ibs_notify.audit.journal import append
from ibs_notify.delivery.audited import flush_act
from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.maker import DigestMaker
from ibs_notify.delivery.digests.store import Plan
from ibs_notify.delivery.digests.windows import (
    CloseReason,
    Judgement,
    Plans,
    Stream,
    Window,
    WindowReason,
    WindowState,
    close_name,
    judge,
)
from ibs_notify.delivery.model import Kind
from ibs_notify.delivery.tables import AUDIT, LEASES
from ibs_notify.domain.clock import Clock, from_micros
from ibs_notify.domain.digest_calendar import Schedule
from ibs_notify.domain.errors import NotificationError
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store import leases
from ibs_notify.store.database import Database
from ibs_notify.store.leases import database_now

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""A window closes no later than so after its time; clocks may jump meanwhile."""
REVIEW_SECONDS = 60.0
"""What another replica has left undone is found within so long."""
LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0
RETRY_SECONDS = 30.0
"""A digest that cannot be made now is tried again after so long."""
_SUMMARIES = 0
"""Stands for all of them where they rest; windows are numbered from 1."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What there is to do at ``now``, and the names that are taken, by window."""

    now: datetime
    windows: Sequence[Window]
    taken: Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Todo:
    """``missing`` streams get a window; ``due`` ones are closed, each for a reason and by a name;
    of those that are ``closing`` the digest is to be made."""

    missing: Mapping[Stream, str]
    planned: Sequence[Plan]
    due: Sequence[tuple[Window, CloseReason, str]]
    closing: Sequence[Window]

    @property
    def is_empty(self) -> bool:
        return not (self.missing or self.planned or self.due or self.closing)


class DigestScheduler:
    """The database is the truth; nothing but a lease is kept between two looks."""

    def __init__(self, database: Database, clock: Clock, maker: DigestMaker, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._maker = maker
        self._holder = holder
        self._plans: Plans | None = None
        self._nudged = asyncio.Event()
        self._next_review = clock.monotonic()
        self._renew_at = clock.monotonic()
        self._lease: leases.Lease | None = None
        self._rests: dict[int, float] = {}
        self._turn = asyncio.Lock()

    @property
    def plans(self) -> Plans | None:
        """What the newest configuration wants; ``None`` before the first."""
        return self._plans

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """A new configuration is in force from now on: every window is looked at again."""
        self._plans = Plans.of(snapshot)
        self._next_review = self._clock.monotonic()
        self._nudged.set()

    async def run(self) -> None:
        """Work until cancelled; a storage that is away is waited for."""
        failed = False
        try:
            while True:
                self._nudged.clear()
                try:
                    await self.tick()
                    failed = False
                except NotificationError as error:
                    if not failed:
                        log.warning("the digests wait: %s", error.message)
                    failed = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._nudged.wait()
        finally:
            await self._give_back()

    async def tick(self) -> None:
        """Do what is due now."""
        plans = self._plans
        if plans is None:
            return
        monotonic = self._clock.monotonic()
        is_review = monotonic >= self._next_review
        async with self._turn:
            look = await self._database.read(lambda c: self._look(c, all_open=is_review))
            missing = _missing(plans, look.windows) if is_review else {}
            todo = _todo(self._rested(look.windows), look, plans, missing)
            # Nothing is written where there is nothing to do, so that the disk is left alone.
            is_ours = not todo.is_empty and await self._hold()
            if is_review:
                self._next_review = monotonic + REVIEW_SECONDS
            if is_ours:
                await self._do(todo, plans, look.now)

    async def _do(self, todo: _Todo, plans: Plans, now: datetime) -> None:
        await self._open(todo.missing, plans, now)
        if todo.planned:
            await self._database.write(lambda c: digest_store.plan(c, todo.planned))
        for window, reason, name in todo.due:
            if await self._hold():
                await self._guarded(window, self._end(window, reason, name, plans, now))
        for window in todo.closing:
            if not self._is_resting(window) and await self._hold():
                await self._guarded(window, self._maker.finish(window, plans, now))

    async def flush(self, window: Window, actor: str) -> bool:
        """Close an open window now because somebody asks; false where it is closed already."""
        plans = self._required()
        async with self._turn:
            now = await self._database.read(self._now)
            name = close_name(CloseReason.FLUSHED, window)
            closed = await self._shut(window, CloseReason.FLUSHED, name, plans, now, actor)
            if closed is not None:
                await self._maker.finish(closed, plans, now)
            return closed is not None

    def _required(self) -> Plans:
        if self._plans is None:
            raise AssertionError("calls are served once there is a configuration")
        return self._plans

    def _look(self, connection: sa.Connection, *, all_open: bool) -> _Look:
        now = self._now(connection)
        windows = digest_store.attention(connection, now, all_open=all_open)
        open_ones = (each for each in windows if each.state is WindowState.OPEN)
        return _Look(now, windows, digest_store.names_taken(connection, open_ones, now))

    def _now(self, connection: sa.Connection) -> datetime:
        """Replicas go by the clock that they share."""
        if connection.dialect.name == "postgresql":
            now = sa.select(database_now(connection.dialect.name))
            return from_micros(connection.execute(now).scalar_one())
        return self._clock.now()

    async def _open(self, missing: Mapping[Stream, str], plans: Plans, now: datetime) -> None:
        if not missing:
            return

        def work(connection: sa.Connection) -> None:
            for stream, target in missing.items():
                digest_store.open_window(connection, stream, target, plans.revision, now)

        await self._database.write(work)
        self._nudged.set()

    async def _end(
        self, window: Window, reason: CloseReason, name: str, plans: Plans, now: datetime
    ) -> None:
        """Close a window at its time, and have its digest made if that can be tried now."""
        closed = await self._shut(window, reason, name, plans, now)
        if closed is not None and not self._is_resting(closed):
            await self._maker.finish(closed, plans, now)

    async def _shut(
        self,
        window: Window,
        reason: CloseReason,
        name: str,
        plans: Plans,
        now: datetime,
        actor: str = "",
    ) -> Window | None:
        """Let a window gather no more; ``None`` where somebody else has closed it.

        Its stream goes on with another one where it always has one. ``actor`` is who asked for it;
        the audit log says so.
        """
        schedule = plans.schedule(window.stream)
        period = schedule.frequency.value if schedule is not None else window.period

        def work(connection: sa.Connection) -> Window | None:
            if not digest_store.close(connection, window, reason, now, period=period, name=name):
                return None
            target = plans.standing.get(window.stream)
            if target is not None:
                digest_store.open_window(connection, window.stream, target, plans.revision, now)
            if actor:
                act = flush_act(window.digest_id, window.stream.group, window.target)
                append(connection, AUDIT, actor, act, now)
            return digest_store.find(connection, window.seq)

        return await self._database.write(work)

    async def _guarded(self, window: Window, work: Awaitable[object]) -> None:
        """What cannot be done now rests for a while, and costs no other window.

        Summaries rest together: each would wait for the Router as long as the one before.
        """
        rests = window.seq
        try:
            await work
        except NotificationError as error:
            log.warning("digest %s waits: %s", window.digest_id, error.message)
            rests = _SUMMARIES if window.stream.kind is Kind.SUMMARY else window.seq
        except Exception:
            log.exception("digest %s cannot be made", window.digest_id)
        else:
            self._rests.pop(window.seq, None)
            return
        self._rests[rests] = self._clock.monotonic() + RETRY_SECONDS

    def _rested(self, windows: Sequence[Window]) -> list[Window]:
        """Those that may be worked on; summaries, which may take long, after all digests."""
        rested = (each for each in windows if not self._is_resting(each))
        return sorted(rested, key=lambda each: each.stream.kind is Kind.SUMMARY)

    def _is_resting(self, window: Window) -> bool:
        now = self._clock.monotonic()
        until = self._rests.get(window.seq, now)
        if window.stream.kind is Kind.SUMMARY and window.state is not WindowState.OPEN:
            until = max(until, self._rests.get(_SUMMARIES, now))
        return until > now

    async def _hold(self) -> bool:
        """Whether this replica is the one that makes digests."""
        monotonic = self._clock.monotonic()
        if self._lease is None or monotonic >= self._renew_at:
            self._lease = await self._database.write(
                lambda c: leases.acquire(c, LEASES, "digests", self._holder, LEASE_SECONDS)
            )
            self._renew_at = monotonic + RENEW_SECONDS
        return self._lease is not None

    async def _give_back(self) -> None:
        """So that the next one, this service's own after a restart, need not wait for its end."""
        lease = self._lease
        if lease is not None:
            with suppress(NotificationError):
                await self._database.write(lambda c: leases.release(c, LEASES, lease))


def _todo(
    windows: Sequence[Window], look: _Look, plans: Plans, missing: Mapping[Stream, str]
) -> _Todo:
    planned: list[Plan] = []
    due: list[tuple[Window, CloseReason, str]] = []
    readable = [each for each in windows if each.stream.target_uid not in plans.unreadable]
    for window in readable:
        if window.state is not WindowState.OPEN:
            continue
        schedule, taken = plans.schedule(window.stream), look.taken[window.seq]
        judgement = judge(window, schedule, plans.revision, look.now, taken)
        match judgement.reason:
            case WindowReason.CONFIG_BEHIND:
                pass
            case WindowReason.GATHERS:
                planned += _plan(window, judgement, schedule, look.now)
            case WindowReason.DUE | WindowReason.NO_DIGEST:
                due.append((window, *_close_of(window, judgement)))
            case _:
                assert_never(judgement.reason)
    closing = [
        each
        for each in readable
        if each.state is not WindowState.OPEN and each.revision <= plans.revision
    ]
    return _Todo(missing, planned, due, closing)


def _missing(plans: Plans, windows: Sequence[Window]) -> dict[Stream, str]:
    """The streams that always have an open window and have none, with their targets' names."""
    have = {each.stream for each in windows if each.state is WindowState.OPEN}
    return {stream: target for stream, target in plans.standing.items() if stream not in have}


def _plan(
    window: Window, judgement: Judgement, schedule: Schedule | None, now: datetime
) -> list[Plan]:
    """What is to be noted of a window that gathers, where that differs from what is known."""
    period = schedule.frequency.value if schedule is not None else ""
    planned = Plan(window.seq, judgement.due_at, min(window.opened_at, now), period)
    known = Plan(window.seq, window.due_at, window.opened_at, window.period)
    return [] if planned == known else [planned]


def _close_of(window: Window, judgement: Judgement) -> tuple[CloseReason, str]:
    if judgement.slot is not None:
        return CloseReason.SCHEDULED, judgement.slot.name
    return CloseReason.NO_DIGEST, close_name(CloseReason.NO_DIGEST, window)
