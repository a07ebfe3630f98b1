"""What was seen: places, grave types, the rules that matched and what silences hid.

Plain SQL, of bounded work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.resource import datastore_of
from ibs_notify.domain.severity import Severity
from ibs_notify.router.coverage import Place
from ibs_notify.router.dispositions import State, bit
from ibs_notify.router.routes import routes_by_id
from ibs_notify.router.tables import EVENTS, OBLIGATIONS
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_PLACES = 2000
MOST_COUNTED = 10_000
"""Of the events of a place."""
MOST_EXAMINED = 200_000
"""Of the newest events, when rules are looked for that matched nothing."""
MOST_UNPACKED = 20_000
"""Of those of them that were closed at once, and are packed."""
MOST_HELD_ANEW = 1000
"""Of the newest events, against rules that matched nothing: they may be younger than the events."""
MOST_SILENCED = 1000
"""Of the newest errors that a silence kept from somebody; as many silences are looked at."""
UNPACKED = 250
"""So many in a turn: about a millisecond, for on PostgreSQL it is the event loop's."""
_DATASTORES = "/datastore/"
_BELOW = "0"
"""What follows the slash: the first text that is not below a path, in the order of bytes."""
_E, _O = EVENTS.c, OBLIGATIONS.c


def places_seen(connection: sa.Connection) -> list[str]:
    """Datastores, and the first part of the path below each: a namespace, by which jobs are known.

    By hops along the index, so that a datastore of a million events takes a few looks. Of more than
    ``MOST_PLACES`` one or two too many are returned.
    """
    found: dict[str, None] = {}
    for resource in _resources(connection):
        datastore = f"{_DATASTORES}{datastore_of(resource)}"
        job = resource[len(datastore) + 1 :].partition("/")[0]
        found[datastore] = None
        if job:
            found[f"{datastore}/{job}"] = None
        if len(found) > MOST_PLACES:
            break
    return list(found)


def looked_at(connection: sa.Connection, attached: Iterable[str]) -> tuple[list[str], bool]:
    """The places that coverage looks at, and whether there are more than it can."""
    names = list(dict.fromkeys((*places_seen(connection), *attached)))
    return names[:MOST_PLACES], len(names) > MOST_PLACES


def _resources(connection: sa.Connection) -> Iterator[str]:
    """One resource at least of each place."""
    after, end = _DATASTORES, _DATASTORES[:-1] + _BELOW
    following = sa.select(sa.func.min(_E.resource)).where(
        _E.resource > sa.bindparam("after"), _E.resource < end
    )
    while True:
        resource = connection.execute(following, {"after": after}).scalar()
        if resource is None:
            return
        yield resource
        parts = resource.split("/")
        # On with what is not below the place; with the next where this is the place itself.
        after = "/".join(parts[:4]) + _BELOW if len(parts) > 4 else resource


def place_of(
    connection: sa.Connection, resource: str, first_seq: int, mute: Collection[int]
) -> Place:
    """How often a place, and all below it, was seen from ``first_seq`` on, and whether heard of.

    ``mute`` are the numbers of the routes that tell nobody.
    """
    # By the index alone, unlike what became of the events.
    counted = _some_of(resource, first_seq, _E.seq).subquery()
    count = connection.execute(sa.select(sa.func.count()).select_from(counted)).scalar_one()
    some = _some_of(resource, first_seq, _E.seq, _E.opened, _E.closed).cte("some")
    heard = connection.execute(sa.select(some.c.seq).where(_was_heard(some, mute)).limit(1)).first()
    return Place(resource, count, heard is not None)


def _some_of(resource: str, first_seq: int, *columns: sa.Column[int]) -> sa.Select[Any]:
    """At most ``MOST_COUNTED`` events of a place and all below it, each by a range of the index."""
    below = sa.and_(_E.resource > f"{resource}/", _E.resource < f"{resource}{_BELOW}")
    parts = (
        sa.select(*columns).where(each, _E.seq >= first_seq).limit(MOST_COUNTED).subquery()
        for each in (_E.resource == resource, below)
    )
    both = sa.union_all(*(sa.select(each) for each in parts)).subquery()
    return sa.select(both).limit(MOST_COUNTED)


def types_of(
    connection: sa.Connection, severity: Severity, first_seq: int, mute: Collection[int]
) -> dict[str, dict[str, int]]:
    """The types that came with that severity, of the newest events that did, by type and place.

    A place is a datastore, or a resource that is none; counted is what nobody was told of.
    """
    newest = (
        sa.select(_E.type, _E.resource, _E.seq, _E.opened, _E.closed)
        .where(_E.severity == severity.value, _E.seq >= first_seq)
        .order_by(_E.seq.desc())
        .limit(MOST_COUNTED)
        .cte("newest")
    )
    unheard = sa.case((_was_heard(newest, mute), 0), else_=1)
    counts = sa.select(newest.c.type, newest.c.resource, sa.func.sum(unheard)).group_by(
        newest.c.type, newest.c.resource
    )
    found: dict[str, dict[str, int]] = {}
    for event_type, resource, count in connection.execute(counts):
        name = datastore_of(resource)
        place = f"{_DATASTORES}{name}" if name else resource
        by_place = found.setdefault(event_type, {})
        by_place[place] = by_place.get(place, 0) + int(count)
    return found


def _was_heard(some: sa.CTE, mute: Collection[int]) -> sa.ColumnElement[bool]:
    """Whether somebody was told of an event of ``some``.

    What was closed at once was for people: nothing keeps an event from a metric server.
    """
    told = sa.exists().where(
        some.c.opened > 0,
        _O.event_seq == some.c.seq,
        _O.route_id.not_in(mute),
    )
    return sa.or_(some.c.closed > 0, told)


@dataclass(frozen=True, slots=True)
class Matched:
    """Subscriptions, by uid, whose rules matched some of the events down from number ``before``.

    ``before`` is 0 where there are no more; ``count`` of the events were unpacked for it.
    """

    uids: frozenset[str]
    before: int
    count: int


def examined_from(connection: sa.Connection, first_seq: int) -> tuple[int, int]:
    """From which number on events are held against rules, and how many there are."""
    newest = connection.execute(sa.select(sa.func.max(_E.seq))).scalar() or 0
    begin = max(first_seq, newest - MOST_EXAMINED + 1)
    count = connection.execute(
        sa.select(sa.func.count()).select_from(EVENTS).where(_E.seq >= begin)
    ).scalar_one()
    return begin, count


def rules_matched(connection: sa.Connection, begin: int) -> set[str]:
    """The subscriptions, by uid, whose rules matched an event that was not closed at once."""
    numbers = connection.execute(
        sa.select(_O.route_id).where(_O.event_seq >= begin).distinct()
    ).scalars()
    return {each.subscription_uid for each in routes_by_id(connection, set(numbers)).values()}


def newest_bodies(connection: sa.Connection, begin: int) -> list[tuple[int, bytes]]:
    """The newest events but our own: when each was received, in microseconds, and its message."""
    rows = connection.execute(
        sa.select(_E.received_at, _E.body)
        .where(_E.seq >= begin, _E.revision > 0)
        .order_by(_E.seq.desc())
        .limit(MOST_HELD_ANEW)
    )
    return [(row.received_at, row.body) for row in rows]


def packed_matches(connection: sa.Connection, begin: int, before: int | None) -> Matched:
    """The same of those that were: the newest below ``before``, ``UNPACKED`` of them."""
    condition = _E.seq >= begin if before is None else _E.seq.between(begin, before - 1)
    rows = connection.execute(
        sa.select(_E.seq, _E.packed)
        .where(condition, _E.closed > 0)
        .order_by(_E.seq.desc())
        .limit(UNPACKED)
    ).all()
    uids = frozenset(
        each.subscription_uid
        for row in rows
        for each in pb.EventRecord.FromString(row.packed).dispositions
    )
    return Matched(uids, rows[-1].seq if len(rows) == UNPACKED else 0, len(rows))


def hidden_by_silences(connection: sa.Connection, begin: int) -> Mapping[str, int]:
    """How many errors and worse each silence kept from somebody, by its id: of the newest."""
    rows = connection.execute(
        sa.select(_E.packed)
        .where(
            _E.seq >= begin,
            _E.severity.in_([Severity.ERROR.value, Severity.CRITICAL.value]),
            _E.states.bitwise_and(bit(State.SILENCED)) != 0,
        )
        .order_by(_E.seq.desc())
        .limit(MOST_SILENCED)
    )
    found: Counter[str] = Counter()
    for row in rows:
        found.update(
            {
                each.pointer
                for each in pb.EventRecord.FromString(row.packed).dispositions
                if each.state == disposition_pb2.DISPOSITION_STATE_SILENCED
            }
        )
    return found
