"""Routes get a number once, so that an obligation's row need not repeat what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ibs_notify.router.match import RoutingTable
from ibs_notify.router.ports import KnownRoute
from ibs_notify.router.tables import ROUTES
from ibs_notify.store.upsert import insert_or_ignore

_CHUNK = 500


def register(connection: sa.Connection, table: RoutingTable) -> dict[str, int]:
    """Store the routes that are new; the number of each of ``table``, by digest."""
    rows = {
        route.digest: {
            "digest": route.digest,
            "group_name": route.group,
            "target_name": route.target,
            "target_uid": route.target_uid,
            "subscription_uid": route.subscription_uid,
            "recipients": json.dumps(route.recipients),
        }
        for route in table.routes
    }
    digests = sorted(rows)
    ids = _ids(connection, digests)
    new = [rows[digest] for digest in digests if digest not in ids]
    if new:
        connection.execute(insert_or_ignore(ROUTES, connection.dialect.name), new)
        ids |= _ids(connection, [row["digest"] for row in new])
    return ids


def _ids(connection: sa.Connection, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _CHUNK):
        chunk = digests[start : start + _CHUNK]
        for row in connection.execute(
            sa.select(ROUTES.c.digest, ROUTES.c.route_id).where(ROUTES.c.digest.in_(chunk))
        ):
            found[row.digest] = row.route_id
    return found


def routes_by_id(connection: sa.Connection, ids: set[int]) -> Mapping[int, KnownRoute]:
    """The routes of these numbers."""
    found: dict[int, KnownRoute] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), _CHUNK):
        for row in connection.execute(
            sa.select(ROUTES).where(ROUTES.c.route_id.in_(wanted[start : start + _CHUNK]))
        ):
            found[row.route_id] = KnownRoute(
                row.group_name,
                row.target_name,
                row.target_uid,
                row.subscription_uid,
                tuple(json.loads(row.recipients)),
            )
    return found
