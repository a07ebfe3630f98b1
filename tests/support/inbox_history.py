"""A history of events for the suites of the inbox, filters for it, and what a look at each says."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import State
from ibs_notify.router.event_filter import query_of
from ibs_notify.router.event_query import holds
from ibs_notify.router.lines import Mark
from ibs_notify.router.tables import OBLIGATIONS
from ibs_notify.router.views import STATES, routes_of
from ibs_notify.rpc.convert import event_from_proto, moment_to_proto
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from tests.support.core import NOW, Core


class Clock:
    """Each look at it is a second later: a list then ends after every turn."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._elapsed = 0.0

    def now(self) -> Any:
        return NOW

    def monotonic(self) -> float:
        self._elapsed += self._step
        return self._elapsed


TYPES = ("backup.failed", "backup.completed", "backups.failed", "sync.failed", "verify.stale")
RESOURCES = ("a:", "a:vm/1", "a:vm/10", "/datastore/a/vm", "b:vm/1", "/host/x", "", "A:vm")
ACTORS = ("", "alice", "bob")
TEXTS = ("", "Straße 1", "PLAIN", "İstanbul", "ﬁle ſet", "a%b_c")


def some_event(chance: Random, number: int) -> Event:
    resource = chance.choice(RESOURCES)
    return Event(
        event_id=f"e{number:03}",
        type=chance.choice(TYPES),
        severity=chance.choice(list(Severity)),
        timestamp=NOW,
        subject=chance.choice(TEXTS),
        summary=chance.choice(TEXTS),
        task_id=chance.choice(("", "t1", "t2")),
        actor=chance.choice(ACTORS),
        resource=resource,
        canonical_resource=canonical(resource),
        labels={"site": chance.choice(("north", "south", "Süd"))},
    )


def some_filter(chance: Random) -> dict[str, Any]:
    """One to three conditions."""
    choices: dict[str, Any] = {
        "sources": [["backup"], ["sync", "verify"], ["Backup"], ["backup", "backups", "sync"]],
        "types": [["backup.failed"], ["sync.failed", "verify.stale"], list(TYPES), ["none.such"]],
        "min_severity": [1, 2, 4, 5],
        "resource": ["a:", "/datastore/a/vm", "b:vm", "/", "/host", "a:vm/1", "nowhere:"],
        "task_id": ["t1", "t9"],
        "actor": ["alice", "nobody"],
        "after": [moment_to_proto(NOW + timedelta(minutes=each)) for each in (-1, 40, 70, 999)],
        "before": [moment_to_proto(NOW + timedelta(minutes=each)) for each in (-1, 25, 90, 999)],
        "rule": ["labels.site = north", "severity = critical or actor = bob"],
        "groups": [["ops"], ["north", "ops"], ["nobody"]],
        "dispositions": [[each] for each in STATES.values()]
        + [[disposition_pb2.DISPOSITION_STATE_SUPPRESSED, STATES[State.HANDED_OFF]]],
        "unmatched": [True],
        "text": ["STRASSE", "plain", "İ", "file", "set", "%b_", "süd", "e01", "vm/1", "nothing"],
        "inbox_states": [[1], [2], [3], [1, 2], [2, 3], [1, 2, 3]],
        "collapsed_into": ["e005", "nothing"],
    }
    names = chance.sample(sorted(choices), chance.choice((1, 1, 2, 2, 3)))
    return {name: chance.choice(choices[name]) for name in names}


async def write_history(core: Core, chance: Random, count: int) -> None:
    """Events minute by minute, the clock once set back; some told, some collapsed."""
    for number in range(count):
        minute = number if number < count // 2 else number - 10
        now = NOW + timedelta(minutes=minute)
        await core.emit(some_event(chance, number), now=now)
    # A summary stands for the obligations of one lane and one route.
    lane = await core.lane_of("ops")
    of_summary = sa.and_(OBLIGATIONS.c.position == 0, OBLIGATIONS.c.lane_id == lane)
    end = (
        ("handed_off", "", OBLIGATIONS.c.event_seq % 3 == 0),
        ("collapsed", "e005", sa.and_(of_summary, OBLIGATIONS.c.event_seq % 7 == 1)),
    )
    for state, pointer, which in end:
        change = sa.update(OBLIGATIONS).where(which).values(state=state, pointer=pointer)
        await core.database.write(partial(sa.Connection.execute, statement=change))


def matches(record: pb.EventRecord, fields: dict[str, Any]) -> bool:
    """By a look at the event, as a watcher's filter is held against it."""
    query = query_of(pb.EventFilter(**fields), "alice")
    event, _ = event_from_proto(record.event, NOW)
    received_at = record.receive_time.ToMicroseconds()
    return (not query.marks or Mark(record.inbox_state) in query.marks) and holds(
        query, event, received_at, routes_of(record)
    )
