"""What a silence would have kept from people, had it held in the last days."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.coverage.held import Held, held
from ibs_notify.console.pages.silence_form import Windows
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording import words
from ibs_notify.console.wording.words import RECORDED
from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.rpc.convert import moment_from_proto, moment_to_proto
from ironcore.notification.v1.delivery_service_pb2 import CountDeliveriesRequest
from ironcore.notification.v1.disposition_pb2 import (
    DISPOSITION_STATE_HANDED_OFF,
    DISPOSITION_STATE_READY,
    Disposition,
)
from ironcore.notification.v1.event_pb2 import SEVERITY_CRITICAL
from ironcore.notification.v1.router_service_pb2 import EventFilter, EventRecord, ListEventsRequest

LOOK_BACK = timedelta(days=7)
AT_ONCE = 500
MOST_PAGES = 4
MOST_IDS = 1000
MOST_MESSAGES = 4 * MOST_IDS
"""Of more Delivery is not asked what became of each."""
_MEANT = (DISPOSITION_STATE_READY, DISPOSITION_STATE_HANDED_OFF)


@dataclass(frozen=True, slots=True)
class Spared:
    """How many events were meant for a target, and what became of the messages, in words.

    ``became`` is empty where that is not known.
    """

    count: int
    became: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WouldSilence:
    """What of the last days a rule would have kept from people, within ``windows``.

    ``meant`` are the newest events that were meant for somebody, ``by_target`` for whom;
    ``at_any_hour`` counts them by severity, the gravest first, whatever the windows are.
    ``held`` is what rate limits hold already: it still goes out.
    ``is_whole``: there was nothing more to look at.
    """

    meant: Sequence[EventRecord]
    by_target: Mapping[str, Spared]
    at_any_hour: Mapping[int, int]
    held: Held
    is_whole: bool
    windows: Windows

    @property
    def critical(self) -> int:
        """How many of ``meant`` are critical."""
        return sum(each.event.severity == SEVERITY_CRITICAL for each in self.meant)


async def would_silence(visit: Visit, rule: str, windows: Windows) -> WouldSilence:
    """``InvalidArgument`` for what is no rule."""
    since = moment_to_proto(visit.now() - LOOK_BACK)
    request = ListEventsRequest(
        filter=EventFilter(rule=rule, after=since, dispositions=_MEANT), page_size=AT_ONCE
    )
    seen: list[EventRecord] = []
    for _ in range(MOST_PAGES):
        answer = await visit.api.call(visit.api.router.ListEvents, request)
        seen += answer.events
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    # Of the summary of a backlog no silence is asked.
    every = [each for each in seen if each.event.type != SUMMARY_TYPE and _for_people(each)]
    meant = [each for each in every if moment_from_proto(each.receive_time) in windows]
    by_severity = Counter(each.event.severity for each in every)
    by_target, waiting = await asyncio.gather(
        _by_target(visit, meant), held(visit, EventFilter(rule=rule))
    )
    return WouldSilence(
        meant,
        by_target,
        dict(sorted(by_severity.items(), reverse=True)),
        waiting,
        not request.page_token,
        windows,
    )


def _for_people(record: EventRecord) -> list[Disposition]:
    """Those that tell somebody; a metric server counts it, silenced or not."""
    return [
        each for each in record.dispositions if each.state in _MEANT and each.reason != RECORDED
    ]


async def _by_target(visit: Visit, meant: Iterable[EventRecord]) -> Mapping[str, Spared]:
    """Those for which the most were meant first."""
    events = Counter[str]()
    messages = Counter[str]()
    ready = Counter[str]()
    delivery_ids: list[str] = []
    for record in meant:
        told = _for_people(record)
        events.update({each.target for each in told})
        messages.update(each.target for each in told)
        ready.update(each.target for each in told if each.state == DISPOSITION_STATE_READY)
        delivery_ids += [each.delivery_id for each in told if each.delivery_id]
    became = await _became(visit, delivery_ids)
    if became is not None:
        word = words.disposition_state(DISPOSITION_STATE_READY)
        for target, count in ready.items():
            counts = became.setdefault(target, Counter())
            # What is being handed over Delivery may know already.
            counts[word] += max(0, min(count, messages[target] - counts.total()))
    known = became or {}
    return {
        target: Spared(count, dict(sorted((+known.get(target, Counter[str]())).items(), key=_rank)))
        for target, count in sorted(events.items(), key=_rank)
    }


def _rank(item: tuple[str, int]) -> tuple[int, str]:
    """The most first; equals by name, so that nothing jumps."""
    return -item[1], item[0]


async def _became(visit: Visit, delivery_ids: Sequence[str]) -> dict[str, Counter[str]] | None:
    """By target, how many messages are delivered, given up and so on; None where that is unknown.

    They are counted by the target's name as it was routed, as events have it.
    """
    if len(delivery_ids) > MOST_MESSAGES:
        return None
    delivery = visit.api.delivery
    requests = []
    for start in range(0, len(delivery_ids), MOST_IDS):
        request = CountDeliveriesRequest()
        request.filter.delivery_ids.extend(delivery_ids[start : start + MOST_IDS])
        requests.append(visit.api.call(delivery.CountDeliveries, request))
    found: dict[str, Counter[str]] = {}
    for answer in await asyncio.gather(*map(unless_failed, requests)):
        if answer is None:
            return None
        for each in answer.counts:
            state = words.spoken(words.delivery_state(each.state))
            found.setdefault(each.target, Counter())[state] += each.count
    return found
