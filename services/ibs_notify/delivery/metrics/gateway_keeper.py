"""Keeps Pushgateways right beside the queue: what they lost comes back, what is left behind goes.

A gateway keeps what it was pushed in memory, and forgets it with a restart; so the totals are
pushed again now and then. Every replica does so; a push by another in between changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from ibs_notify.delivery.admission import Admission, admit_target
from ibs_notify.delivery.metrics import gateway_groups
from ibs_notify.delivery.metrics.book import DurableMetricBook
from ibs_notify.delivery.metrics.gateway_groups import GatewayGroup
from ibs_notify.delivery.model import LIFETIME
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import CannotOpen, Transports
from ibs_notify.delivery.transports.base import Outcome, Verdict
from ibs_notify.delivery.transports.build import build_pushgateway
from ibs_notify.delivery.transports.cache import SecretOpener
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import NotificationError, ResourceExhausted, Unavailable
from ibs_notify.domain.target import PushgatewaySpec, Target
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.store.database import Database

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 60.0
"""A gateway that was restarted lacks its totals for so long at most."""


@runtime_checkable
class _PushesState(Protocol):
    """A transport whose server holds a state that it may lose."""

    async def refresh(self) -> Outcome:
        """Push the state again."""
        ...


class GatewayKeeper:
    """Nothing is sent, and nothing of a client imported, where there is no Pushgateway."""

    def __init__(
        self,
        database: Database,
        outlook: Outlook,
        transports: Transports,
        book: DurableMetricBook,
        secrets: SecretOpener,
        clock: Clock,
        dialler: Dialler,
        *,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._database = database
        self._outlook = outlook
        self._transports = transports
        self._book = book
        self._secrets = secrets
        self._clock = clock
        self._dialler = dialler
        self._refresh_seconds = refresh_seconds
        self._changed = asyncio.Event()
        self._noted: dict[tuple[str, bytes], GatewayGroup] = {}
        self._failing: set[str] = set()

    def set_snapshot(self, _snapshot: Snapshot) -> None:
        """A new configuration is in force from now on."""
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled; a storage that is away is waited for."""
        while True:
            self._changed.clear()
            try:
                await self.tick()
            except (Unavailable, ResourceExhausted) as error:
                log.warning("the groups on Pushgateways wait: %s", error)
            except Exception:  # the queue does not depend on it
                log.exception("the groups on Pushgateways wait")
            try:
                async with asyncio.timeout(self._refresh_seconds):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def tick(self) -> None:
        """Note the groups of the present targets, remove others, push the totals again.

        While the queue is held, gateways are left as they are: restored totals may be old ones.
        """
        snapshot = self._outlook.snapshot
        if snapshot is None:
            return
        present = _groups_of(snapshot)
        await self._note(present)
        if self._outlook.is_held:
            return
        now = self._clock.now()
        for group in await self._database.read(gateway_groups.noted):
            # One of a newer configuration than ours, or release, is none of ours to remove.
            is_known = group.target.revision <= snapshot.revision
            is_known = is_known and group.target.uid not in snapshot.unreadable
            if is_known and (group.target.uid, group.place) not in present:
                taken = any(group.place == place for _, place in present)
                await self._remove(group, now, is_taken=taken, snapshot=snapshot)
        # At once: those that do not answer keep nobody waiting.
        await asyncio.gather(
            *(self._refresh(snapshot.targets[uid], snapshot) for uid, _ in present)
        )

    async def _note(self, present: Mapping[tuple[str, bytes], GatewayGroup]) -> None:
        # What is gone since the last look is noted again: another replica may have removed it
        # before this one made its last push.
        left = [group for key, group in self._noted.items() if key not in present]
        new = [group for key, group in present.items() if self._noted.get(key) != group]
        for group in (*left, *new):
            await self._database.write(lambda c, group=group: gateway_groups.note(c, group))  # type: ignore[misc]
        self._noted = dict(present)

    async def _remove(
        self, group: GatewayGroup, now: datetime, *, is_taken: bool, snapshot: Snapshot
    ) -> None:
        """``is_taken``: another target has the same group now, which replaces it."""
        name, left_at = group.target.name, group.left_at or now
        if not is_taken:
            failure = await self._removal_failure(group)
            if failure and now - left_at < LIFETIME:
                if group.left_at is None:
                    log.warning("the group of target %s stays on its gateway: %s", name, failure)
                    left = replace(group, left_at=now)
                    await self._database.write(lambda c: gateway_groups.note(c, left))
                return
            if failure:
                log.warning("the group of target %s is given up: %s", name, failure)
            else:
                log.info("the group of target %s is removed from its gateway", name)
        await self._database.write(lambda c: gateway_groups.drop(c, group))
        if group.target.uid not in snapshot.targets:
            await self._book.forget(group.target.uid)

    async def _removal_failure(self, group: GatewayGroup) -> str:
        try:
            secrets = self._secrets.open(group.target.uid, group.sealed)
            transport = build_pushgateway(
                group.target, group.spec, secrets, self._clock, self._book, self._dialler
            )
        except NotificationError as error:
            return str(error)
        try:
            outcome = await transport.remove()
        finally:
            await transport.close()
        return "" if outcome.verdict is Verdict.DELIVERED else _said(outcome)

    async def _refresh(self, target: Target, snapshot: Snapshot) -> None:
        paused = self._outlook.is_paused(target)
        if admit_target(target, paused=paused) is not Admission.SENDABLE:
            return
        try:
            with self._transports.use(target, snapshot) as transport:
                if not isinstance(transport, _PushesState):
                    return
                outcome = await transport.refresh()
        except CannotOpen as error:
            log.debug("target %s is not refreshed: %s", target.name, error.detail)
            return
        if outcome.verdict is Verdict.DELIVERED:
            self._failing.discard(target.uid)
        elif target.uid not in self._failing:
            self._failing.add(target.uid)
            log.warning("target %s is not refreshed: %s", target.name, _said(outcome))


def _groups_of(snapshot: Snapshot) -> dict[tuple[str, bytes], GatewayGroup]:
    groups = [
        GatewayGroup(
            Target(target.name, uid, target.spec, revision=target.revision),
            target.spec,
            snapshot.sealed.get(uid, {}),
        )
        for uid, target in snapshot.targets.items()
        if isinstance(target.spec, PushgatewaySpec)
    ]
    return {(group.target.uid, group.place): group for group in groups}


def _said(outcome: Outcome) -> str:
    return f"{outcome.reason} {outcome.reply}".strip()
