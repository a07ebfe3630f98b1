"""ListEvents: filters and pages, also by a rule."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.resource import canonical
from ibs_notify.router import books
from ibs_notify.rpc.convert import event_from_proto, is_moment, moment_from_proto
from ibs_notify.rpc.paging import page_size, page_token, read_page_number
from ibs_notify.rules.evaluate import Predicate, compile_rule
from ibs_notify.rules.parse import parse
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_LISTING = "events"
_MOST_EXAMINED = 20_000
"""A rule that matches nothing must not read the whole history for one page."""
_PAGE_BYTES = 2 * 1024 * 1024
"""Where a page of large events ends early: clients take messages of 4 MiB by default."""


def query_of(message: pb.EventFilter) -> books.EventQuery:
    """The filter of a request, without its rule."""
    faults = [
        FieldViolation(f"filter.{name}", "is not between the years 1 and 9999")
        for name, stamp in (("after", message.after), ("before", message.before))
        if not is_moment(stamp)
    ]
    if faults:
        raise InvalidArgument.of(faults)
    return books.EventQuery(
        sources=tuple(message.sources),
        types=tuple(message.types),
        min_severity=message.min_severity,
        resource=canonical(message.resource),
        task_id=message.task_id,
        actor=message.actor,
        after=moment_from_proto(message.after) if message.HasField("after") else None,
        before=moment_from_proto(message.before) if message.HasField("before") else None,
    )


def _compiled(rule: str) -> Predicate:
    try:
        return compile_rule(parse(rule))
    except InvalidArgument as error:
        fault = FieldViolation("filter.rule", error.message)
        raise InvalidArgument(
            error.reason, error.message, advice=error.advice, violations=[fault]
        ) from None


class EventPage:
    """One page of events: ``read`` runs in a read transaction."""

    def __init__(self, request: pb.ListEventsRequest, now: datetime) -> None:
        self._before = read_page_number(_LISTING, request.page_token)
        self._size = page_size(request.page_size)
        self._query = query_of(request.filter)
        self._rule = _compiled(request.filter.rule) if request.filter.rule else None
        self._now = now

    def read(self, connection: sa.Connection) -> tuple[list[books.StoredEvent], str]:
        """The events, newest first, and the token of the next page."""
        if self._rule is None:
            found = books.list_events(connection, self._query, self._before, self._size + 1)
            page = _within_bytes(found[: self._size])
            more = len(found) > len(page)
            return page, page_token(_LISTING, page[-1].seq) if more else ""
        return self._read_matching(connection, self._rule)

    def _read_matching(
        self, connection: sa.Connection, rule: Predicate
    ) -> tuple[list[books.StoredEvent], str]:
        page: list[books.StoredEvent] = []
        before, examined, size = self._before, 0, 0
        while examined < _MOST_EXAMINED:
            found = books.list_events(connection, self._query, before, self._size)
            for each in found:
                before = each.seq
                if self._matches(rule, each):
                    page.append(each)
                    size += len(each.body)
                    if len(page) == self._size or size >= _PAGE_BYTES:
                        return page, page_token(_LISTING, each.seq)
            if len(found) < self._size:
                return page, ""
            examined += len(found)
        return page, page_token(_LISTING, before or 0)

    def _matches(self, rule: Predicate, stored: books.StoredEvent) -> bool:
        event, _ = event_from_proto(event_pb2.Event.FromString(stored.body), self._now)
        return rule(event)


def _within_bytes(found: list[books.StoredEvent]) -> list[books.StoredEvent]:
    size = 0
    for count, each in enumerate(found, start=1):
        size += len(each.body)
        if size >= _PAGE_BYTES:
            return found[:count]
    return found
