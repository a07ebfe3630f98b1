"""ListEvents: a page of events, newest first, each with how the caller has marked it. Plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ibs_notify.router.books import StoredEvent, events_by_seq
from ibs_notify.router.event_walk import Turn
from ibs_notify.router.lines import Mark
from ibs_notify.router.marks import marks_of
from ibs_notify.rpc.paging import page_token

LISTING = "events"
_PAGE_BYTES = 2 * 1024 * 1024
"""Where a page of large events ends early: clients take messages of 4 MiB by default."""
_OBLIGATION_BYTES = 150
"""About so much of it is what became of an event for one subscription."""
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Page:
    """``token`` asks for the next page; empty on the last."""

    events: Sequence[tuple[StoredEvent, Mark]]
    token: str


def read_page(connection: sa.Connection, viewer: str, found: Turn, size: int) -> Page:
    """The first ``size`` of the events that were found, of which there may be one more."""
    seqs = found.seqs[:size]
    events: list[tuple[StoredEvent, Mark]] = []
    room = _PAGE_BYTES
    for start in range(0, len(seqs), _CHUNK):
        chunk = seqs[start : start + _CHUNK]
        marks = marks_of(connection, viewer, chunk)
        for each in events_by_seq(connection, chunk):
            events.append((each, marks[each.seq]))
            room -= len(each.body) + len(each.packed)
            room -= _OBLIGATION_BYTES * len(each.obligations)
            if room <= 0 and each.seq != found.seqs[-1]:
                return Page(events, page_token(LISTING, each.seq))
    following = seqs[-1] if len(found.seqs) > size else found.before
    return Page(events, page_token(LISTING, following) if following else "")
