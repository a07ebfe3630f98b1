"""What people ask of digests: which there are, what one would say now, and to send it at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.maker import DigestMaker
from ibs_notify.delivery.digests.scheduler import DigestScheduler
from ibs_notify.delivery.digests.windows import Plans, Window, WindowState
from ibs_notify.delivery.model import Recipient, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.preview import Preview, rendered
from ibs_notify.delivery.sending.sender import message_of
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    FailedPrecondition,
    NotFound,
    Reason,
    Unavailable,
)
from ibs_notify.store.database import Database

_ID = re.compile(r"dig-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Counted:
    """A window, and how many events it holds or held."""

    window: Window
    event_count: int
    period: str


class DigestDesk:
    """Reads windows; what it changes, it changes through the scheduler."""

    def __init__(
        self,
        database: Database,
        scheduler: DigestScheduler,
        maker: DigestMaker,
        outlook: Outlook,
        clock: Clock,
    ) -> None:
        self._database = database
        self._scheduler = scheduler
        self._maker = maker
        self._outlook = outlook
        self._clock = clock

    async def page(
        self,
        group: str,
        *,
        size: int,
        before: int | None,
        open_only: bool,
        digest_id: str = "",
    ) -> Sequence[Counted]:
        """Up to ``size`` windows, newest first, of those with a number below ``before``.

        ``digest_id``: only that one, if there is it.
        """
        seq = _number(digest_id) if digest_id else None
        plans = self._scheduler.plans
        rows = await self._database.read(
            lambda c: digest_store.page(c, group, before, size, open_only=open_only, seq=seq)
        )
        return [Counted(window, count, _period(window, plans)) for window, count in rows]

    async def preview(self, digest_id: str) -> Preview:
        """What an open window would say now. ``NotFound``; ``FailedPrecondition`` where it is
        closed or its target gone; ``InvalidArgument`` where it cannot be rendered."""
        window, plans = await self._open_window(digest_id)
        now = self._clock.now()
        composed, _ = await self._maker.report(window, plans, now, window.digest_id)
        snapshot, target = self._outlook.snapshot, self._outlook.target(window.stream.target_uid)
        if snapshot is None or target is None:
            raise FailedPrecondition(
                Reason.TARGET_NOT_FOUND,
                f"target {window.target} is gone, or of a later release: there is nothing to show",
            )
        work = _as_if_sent(window, composed.body, now)
        return rendered(target, message_of(work, snapshot, target.name), snapshot, self._clock)

    async def flush(self, digest_id: str, actor: str) -> str:
        """Close an open window now; the delivery that it became. Errors as of ``preview``."""
        window, plans = await self._open_window(digest_id)
        held = await self._database.read(lambda c: digest_store.count(c, window))
        if not held and window.stream not in plans.standing:
            raise FailedPrecondition(
                Reason.DIGEST_NOT_OPEN,
                f"digest {digest_id} holds nothing that could be sent",
                advice="it is sent at its time if something comes until then",
            )
        if not await self._scheduler.flush(window, actor):
            raise _not_open(digest_id)
        closed = await self._database.read(lambda c: digest_store.find(c, window.seq))
        return "" if closed is None else closed.delivery_id

    async def _open_window(self, digest_id: str) -> tuple[Window, Plans]:
        plans = self._scheduler.plans
        if plans is None:
            raise Unavailable(Reason.NOT_READY, "Delivery has no configuration yet")
        window = await self._database.read(lambda c: digest_store.find(c, _number(digest_id)))
        if window is None:
            raise NotFound(
                Reason.DIGEST_NOT_FOUND,
                f"there is no digest {digest_id!r}",
                advice="list those that there are with: digest list",
            )
        if window.state is not WindowState.OPEN:
            raise _not_open(digest_id)
        return window, plans


def _number(digest_id: str) -> int:
    """-1, which no window has, for what is no id."""
    matched = _ID.fullmatch(digest_id)
    return -1 if matched is None else int(matched[1])


def _period(window: Window, plans: Plans | None) -> str:
    """As it was closed, or as it is to be."""
    if window.state is not WindowState.OPEN or plans is None:
        return window.period
    schedule = plans.schedule(window.stream)
    return "" if schedule is None else schedule.frequency.value


def _as_if_sent(window: Window, body: bytes, now: datetime) -> Work:
    return Work(
        seq=0,
        delivery_id=window.digest_id,
        target_uid=window.stream.target_uid,
        kind=window.stream.kind,
        recipients=tuple(map(Recipient, window.stream.recipients)),
        suppressed_count=0,
        revision=window.revision,
        created_at=now,
        expires_at=now,
        attempt=1,
        failures=0,
        unfinished=0,
        maybe_duplicate=False,
        fence=0,
        body=body,
        group=window.stream.group,
    )


def _not_open(digest_id: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.DIGEST_NOT_OPEN,
        f"digest {digest_id} is closed already",
        advice="delivery list shows what it became",
    )
