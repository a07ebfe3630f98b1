"""An inbox without its wire: what the rpcs answer, and every page of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from ibs_notify.domain.clock import Clock
from ibs_notify.router.blocks import Blocks
from ibs_notify.router.inbox_calls import InboxCalls
from ibs_notify.router.lines import Mark
from ibs_notify.store.database import Database
from ironcore.notification.v1 import router_service_pb2 as pb


class InboxReader:
    """One user's; ``clock`` decides how long a list looks."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        user: str = "alice",
        blocks: Blocks | None = None,
        group_names: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.calls = InboxCalls(database, blocks or Blocks(), clock, group_names)
        self.user = user

    async def pages(
        self, size: int = 100, scope: pb.EventScope | None = None, **fields: Any
    ) -> AsyncIterator[list[pb.EventRecord]]:
        chosen = pb.EventFilter(**fields)
        request = pb.ListEventsRequest(filter=chosen, page_size=size, scope=scope)
        while True:
            answer = await self.calls.list(request, self.user)
            yield list(answer.events)
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def records(self, size: int = 100, **fields: Any) -> list[pb.EventRecord]:
        """All that match, newest first."""
        return [each async for page in self.pages(size, **fields) for each in page]

    async def ids(self, size: int = 100, **fields: Any) -> list[str]:
        return [each.event.event_id for each in await self.records(size, **fields)]

    async def mark(self, mark: Mark, *event_ids: str) -> int:
        request = pb.MarkEventsRequest(event_ids=event_ids, state=state_of(mark))
        return (await self.calls.mark(request, self.user)).count

    async def mark_all(self, mark: Mark, through: int, **fields: Any) -> int:
        chosen = pb.EventFilter(**fields)
        request = pb.MarkEventsRequest(filter=chosen, up_to_sequence=through, state=state_of(mark))
        return (await self.calls.mark(request, self.user)).count

    async def count(self, **fields: Any) -> pb.CountEventsResponse:
        request = pb.CountEventsRequest(filter=pb.EventFilter(**fields))
        return await self.calls.count(request, self.user)

    async def summarize(self, offenders: int = 0, **fields: Any) -> pb.SummarizeEventsResponse:
        chosen = pb.EventFilter(**fields)
        request = pb.SummarizeEventsRequest(filter=chosen, max_offenders=offenders)
        return await self.calls.summarize(request, self.user)

    async def chart(
        self, minutes: int = 60, scope: pb.EventScope | None = None, **fields: Any
    ) -> pb.ChartEventsResponse:
        request = pb.ChartEventsRequest(filter=pb.EventFilter(**fields), scope=scope)
        request.step.FromSeconds(60 * minutes)
        return await self.calls.chart(request, self.user)

    async def spans(self, minutes: int = 60, **fields: Any) -> dict[tuple[int, int], int]:
        """By the beginning of a span, in minutes since the epoch, and severity."""
        answer = await self.chart(minutes, **fields)
        return {
            (span.start_time.seconds // 60, each.severity): each.count
            for span in answer.spans
            for each in span.counts
        }

    async def summary(self, **fields: Any) -> dict[tuple[str, str, int], int]:
        answer = await self.summarize(**fields)
        return {(each.datastore, each.type, each.severity): each.count for each in answer.counts}


def state_of(mark: Mark) -> pb.InboxState.ValueType:
    return pb.InboxState.ValueType(mark.value)
