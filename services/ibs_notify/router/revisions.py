"""The rules of then: what was in force when an event was routed, kept as long as the event.

Parts of the configuration are stored when they change, not whole revisions: a change a minute of a
large configuration costs what changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.domain.errors import NotificationError
from ibs_notify.router.match import RoutingTable, build_table
from ibs_notify.router.tables import EVENTS, REVISION_PARTS, REVISIONS
from ibs_notify.snapshot.state import WatchedState
from ibs_notify.store.database import Database
from ibs_notify.store.upsert import insert_or_ignore
from ironcore.notification.v1 import config_service_pb2 as pb

log = logging.getLogger(__name__)

_MOST_ROUTES = 20_000
"""Of the tables that are held ready; a larger one is built each time it is asked for."""
_CHUNK = 200
"""Parts in one transaction: some milliseconds, on SQLite in the loop."""
_REPLICA_LAG = timedelta(hours=1)
"""A replica that is behind may route by a revision that another replaced so long ago."""
_C, _P = REVISIONS.c, REVISION_PARTS.c
_IS_OPEN = _P.until.is_(None)

Key = tuple[str, str]
"""Kind and uid of a part."""
_SETTINGS: Key = ("settings", "")
Parts = Mapping[Key, bytes]


@dataclass(frozen=True, slots=True)
class Known:
    """The newest revision that is recorded, and the digest of each of its parts."""

    revision: int
    digests: Mapping[Key, bytes]


class Revisions:
    """Records each revision that comes into force, and builds the tables of former ones."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: Known | None = None
        self._ready: OrderedDict[int, RoutingTable] = OrderedDict()

    async def record(self, kept: pb.ConfigSnapshot) -> None:
        """Store what differs from the revision before. That it cannot be stored keeps nothing

        from coming into force: events are then explained by later rules, and this is said.
        """
        try:
            await self._record(kept)
        except NotificationError as error:
            log.warning("revision %d will not be explained: %s", kept.revision, error.message)

    async def _record(self, kept: pb.ConfigSnapshot) -> None:
        revision = kept.revision
        parts, digests, whole = await asyncio.to_thread(_digested, kept)
        newest, recorded = await self._database.read(lambda c: _recorded(c, revision))
        if recorded == whole or (recorded is None and revision < newest):
            # It is there, or another replica, further on, has gone past it.
            return
        known = self._known
        if recorded is not None:
            log.warning("the configuration went back: what was kept from %d on is over", revision)
            await self._database.write(lambda c: _forget(c, revision))
            self._ready.clear()
            known = None
        if known is None or known.revision != newest:
            known = Known(newest, await self._database.read(_open_digests))
        self._known = None
        changed = await asyncio.to_thread(_differences, known.digests, digests)
        await self._write(revision, parts, changed)
        row = {
            "revision": revision,
            "in_force_at": to_micros(self._clock.now()),
            "digest": whole,
        }
        await self._database.write(
            lambda c: c.execute(insert_or_ignore(REVISIONS, c.dialect.name).values(row))
        )
        self._known = Known(revision, digests)

    async def _write(self, revision: int, parts: Parts, keys: Sequence[Key]) -> None:
        """In bounded transactions. They count when the revision's own row is there."""
        for start in range(0, len(keys), _CHUNK):
            over = keys[start : start + _CHUNK]
            rows = await asyncio.to_thread(_rows, parts, over)
            await self._database.write(partial(_replace, revision=revision, over=over, rows=rows))
            await asyncio.sleep(0)  # SQLite wrote in the loop, which others wait for

    async def table(self, revision: int) -> RoutingTable | None:
        """The table of a former revision, without numbers; ``None`` where it is not kept."""
        ready = self._ready.get(revision)
        if ready is not None:
            self._ready.move_to_end(revision)
            return ready
        kept = await self._database.read(lambda c: read_revision(c, revision))
        if kept is None:
            return None
        table = await asyncio.to_thread(lambda: build_table(WatchedState(kept).to_snapshot()))
        self._ready[revision] = table
        while sum(_size(each) for each in self._ready.values()) > _MOST_ROUTES:
            self._ready.popitem(last=False)
        return table


def read_revision(connection: sa.Connection, revision: int) -> pb.ConfigSnapshot | None:
    """The configuration as it was; ``None`` where that is not recorded, or no longer."""
    known = sa.select(_C.revision).where(_C.revision == revision)
    if connection.execute(known).first() is None:
        return None
    snapshot = pb.ConfigSnapshot(revision=revision)
    was = sa.and_(_P.since <= revision, sa.or_(_IS_OPEN, _P.until > revision))
    for row in connection.execute(sa.select(_P.kind, _P.body).where(was)):
        body = zlib.decompress(row.body)
        match row.kind:
            case "group":
                snapshot.groups.add().MergeFromString(body)
            case "target":
                snapshot.targets.add().target.MergeFromString(body)
            case "settings":
                snapshot.settings.MergeFromString(body)
    return snapshot


def prune_revisions(connection: sa.Connection) -> int:
    """Forget the revisions that no event was routed by; how many. The newest always stays."""
    oldest_event = connection.execute(
        sa.select(EVENTS.c.received_at).order_by(EVENTS.c.seq).limit(1)
    ).scalar()
    needed = sa.select(sa.func.max(_C.revision))
    if oldest_event is not None:
        replaced_by = int(oldest_event) - _REPLICA_LAG // timedelta(microseconds=1)
        needed = needed.where(_C.in_force_at <= replaced_by)
    first = connection.execute(needed).scalar()
    if first is None:
        return 0
    connection.execute(sa.delete(REVISION_PARTS).where(_P.until <= first))
    return connection.execute(sa.delete(REVISIONS).where(_C.revision < first)).rowcount


def _parts_of(kept: pb.ConfigSnapshot) -> Parts:
    parts = {_SETTINGS: kept.settings.SerializeToString(deterministic=True)}
    for group in kept.groups:
        parts["group", group.uid] = group.SerializeToString(deterministic=True)
    for each in kept.targets:
        parts["target", each.target.uid] = each.target.SerializeToString(deterministic=True)
    return parts


def _rows(parts: Parts, keys: Sequence[Key]) -> list[tuple[Key, bytes]]:
    """Those of ``keys`` that there are, compressed."""
    return [(key, zlib.compress(parts[key])) for key in keys if key in parts]


def _digested(kept: pb.ConfigSnapshot) -> tuple[Parts, dict[Key, bytes], str]:
    """The parts, the digest of each, and that of all: hex."""
    parts = _parts_of(kept)
    digests = {key: _digest(body) for key, body in parts.items()}
    return parts, digests, _digest(b"".join(digests[key] for key in sorted(digests))).hex()


def _differences(before: Mapping[Key, bytes], after: Mapping[Key, bytes]) -> list[Key]:
    """The parts that are new, or changed, or gone."""
    keys = before.keys() | after.keys()
    return sorted(key for key in keys if before.get(key) != after.get(key))


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _recorded(connection: sa.Connection, revision: int) -> tuple[int, str | None]:
    """The newest revision, 0 where there is none, and the digest of this one if it is there."""
    newest = connection.execute(sa.select(sa.func.max(_C.revision))).scalar()
    digest = connection.execute(sa.select(_C.digest).where(_C.revision == revision)).scalar()
    return newest or 0, digest


def _open_digests(connection: sa.Connection) -> dict[Key, bytes]:
    rows = connection.execute(sa.select(_P.kind, _P.uid, _P.body).where(_IS_OPEN))
    return {(row.kind, row.uid): _digest(zlib.decompress(row.body)) for row in rows}


def _replace(
    connection: sa.Connection,
    *,
    revision: int,
    over: Sequence[Key],
    rows: Sequence[tuple[Key, bytes]],
) -> None:
    """End the parts ``over`` at ``revision`` and begin ``rows`` with it. Bears repeats."""
    connection.execute(
        sa.update(REVISION_PARTS)
        .where(
            _P.kind == sa.bindparam("of_kind"),
            _P.uid == sa.bindparam("of_uid"),
            _IS_OPEN,
            _P.since < revision,
        )
        .values(until=revision),
        [{"of_kind": kind, "of_uid": uid} for kind, uid in over],
    )
    if rows:
        connection.execute(
            insert_or_ignore(REVISION_PARTS, connection.dialect.name),
            [
                {"kind": kind, "uid": uid, "since": revision, "until": None, "body": body}
                for (kind, uid), body in rows
            ],
        )


def _forget(connection: sa.Connection, revision: int) -> None:
    """Undo what was recorded from ``revision`` on."""
    connection.execute(sa.delete(REVISIONS).where(_C.revision >= revision))
    connection.execute(sa.delete(REVISION_PARTS).where(_P.since >= revision))
    connection.execute(
        sa.update(REVISION_PARTS).where(_P.until >= revision).values(until=sa.null())
    )


def _size(table: RoutingTable) -> int:
    return sum(len(group.routes) for group in table.groups)
