"""Makes the digest of a closed window: reads what it holds, bit by bit, and cuts it.

What a window holds stands still once it is closed, so whoever begins anew after a crash makes the
same digest; the cut is one transaction, and only one of those who try succeeds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Protocol

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from ibs_notify.delivery.digests import store as digest_store
from ibs_notify.delivery.digests.store import Entry
from ibs_notify.delivery.digests.windows import (
    Plans,
    Window,
    WindowState,
    begin_of,
    delivery_id_of,
    former_schedule,
)
from ibs_notify.delivery.messages import line, listed_subject
from ibs_notify.delivery.model import Handoff, Kind
from ibs_notify.delivery.ports import Admit, Composed, Summaries
from ibs_notify.delivery.queue import intake, outcome_journal
from ibs_notify.delivery.reports import digest_report
from ibs_notify.delivery.reports.digest_report import ReportBuilder, ReportWindow
from ibs_notify.domain.failpoints import hit
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1 import event_pb2

log = logging.getLogger(__name__)

CHUNK = 500
"""Entries that are read, or marked, at a time."""
_AT_ONCE = 50
"""Entries that are added up before others have their turn: some milliseconds."""


class Lanes(Protocol):
    """Who sends what is made: the dispatcher."""

    @property
    def changes(self) -> int:
        """Grows with everything that may change how deliveries stand."""
        ...

    def noticed(self, targets: Iterable[str], changes: int) -> None:
        """Deliveries were queued by what was known at ``changes``."""
        ...


class DigestMaker:
    """``admit`` decides how a digest's delivery stands at first."""

    def __init__(
        self, database: Database, summaries: Summaries, lanes: Lanes, admit: Admit
    ) -> None:
        self._database = database
        self._summaries = summaries
        self._lanes = lanes
        self._admit = admit

    async def finish(self, window: Window, plans: Plans, now: datetime) -> None:
        """Take a window that was closed to its end. ``Unavailable``: try again later."""
        if window.state is WindowState.CLOSING:
            delivery_id = delivery_id_of(window.stream, window.period, window.name)
            composed, count = await self._compose(window, plans, delivery_id)
            await self._cut(window, composed, count, delivery_id, plans, now)
            hit("delivery.after_digest_cut")
        mark = partial(digest_store.mark, window_seq=window.seq, now=now, most=CHUNK)
        is_done = await self._database.write(mark)
        while not is_done:
            await asyncio.sleep(0)  # SQLite wrote in the loop, which others wait for
            is_done = await self._database.write(mark)

    async def report(
        self, window: Window, plans: Plans, closed_at: datetime, delivery_id: str
    ) -> tuple[Composed, int]:
        """What a window says as far as it has gathered, and of how many events."""
        schedule, zone = plans.schedule(window.stream), plans.zone(window.stream)
        before = await self._database.read(lambda c: digest_store.last_close(c, window))
        span = ReportWindow(
            window.stream.group,
            window.target,
            # So that the last one says of it what was said while it was gathered.
            begin_of(window, schedule or former_schedule(window, zone), closed_at, before),
            closed_at,
            zone,
            schedule.frequency.value if schedule is not None else "last",
        )
        if window.stream.kind is Kind.SUMMARY:
            return await self._summaries.compose(span, delivery_id), 0
        builder = ReportBuilder(span)
        count = await self._add_all(builder, window.seq)
        report = builder.build()
        event = digest_report.digest_event(report, delivery_id, closed_at)
        return Composed(event, digest_report.to_bytes(report)), count

    async def _compose(
        self, window: Window, plans: Plans, delivery_id: str
    ) -> tuple[Composed | None, int]:
        """What is to be sent; ``None`` where nothing is."""
        if window.closed_at is None:
            raise AssertionError(f"window {window.digest_id} is closed without a moment")
        is_wanted = plans.wants_anyway(window)
        if window.stream.kind is Kind.SUMMARY and not is_wanted:
            return None, 0
        composed, count = await self.report(window, plans, window.closed_at, delivery_id)
        return (composed if count or is_wanted else None), count

    async def _add_all(self, builder: ReportBuilder, window_seq: int) -> int:
        count, after = 0, 0
        while True:
            found = await self._database.read(
                partial(digest_store.entries, window_seq=window_seq, after=after, most=CHUNK)
            )
            for start in range(0, len(found), _AT_ONCE):
                for each in found[start : start + _AT_ONCE]:
                    _add(builder, each)
                await asyncio.sleep(0)
            count += len(found)
            if len(found) < CHUNK:
                return count
            after = found[-1].seq

    async def _cut(
        self,
        window: Window,
        composed: Composed | None,
        count: int,
        delivery_id: str,
        plans: Plans,
        now: datetime,
    ) -> None:
        """Store the digest; what it is made of is part of it from then on."""
        changes = self._lanes.changes
        handoffs = []
        if composed is not None:
            handoffs = [_handoff(window, composed, delivery_id, plans.revision)]

        def work(connection: sa.Connection) -> frozenset[str]:
            named = delivery_id if handoffs else ""
            if not digest_store.note_cut(connection, window.seq, count, named):
                return frozenset()
            batch = intake.Batch(handoffs, self._admit)
            (accepted,), cancelled = intake.accept_all(connection, [batch], now)
            digest_store.mark(connection, window.seq, now, CHUNK)
            hit("delivery.in_digest_cut")
            outcome_journal.note_ended(connection, cancelled)
            return accepted.targets

        targets = await self._database.write(work)
        self._lanes.noticed(targets, changes)
        log.info(
            "digest %s of group %s for target %s: %d events, %s",
            window.digest_id,
            window.stream.group,
            window.target,
            count,
            f"delivery {delivery_id}" if handoffs else "nothing to send",
        )


def _add(builder: ReportBuilder, entry: Entry) -> None:
    try:
        event, _ = event_from_proto(event_pb2.Event.FromString(entry.body), entry.received_at)
    except DecodeError:
        log.error(
            "the event of delivery number %d cannot be read: its digest is without it", entry.seq
        )
        return
    builder.add(event, entry.received_at)


def _handoff(window: Window, composed: Composed, delivery_id: str, revision: int) -> Handoff:
    event, stream = composed.event, window.stream
    return Handoff(
        delivery_id=delivery_id,
        obligation_id="",
        event_id=line(event.event_id),
        event_type=event.type,
        severity=event.severity.value,
        subject=listed_subject(event.subject),
        target_uid=stream.target_uid,
        target=window.target,
        group=stream.group,
        kind=stream.kind,
        recipients=stream.recipients,
        revision=max(revision, window.revision),
        digest=False,
        suppressed_count=0,
        suppressed_since=None,
        body=composed.body,
    )
