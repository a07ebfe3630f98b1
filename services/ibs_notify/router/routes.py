"""Routes and groups get a number once, so that an obligation's row need not repeat its words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ibs_notify.router.match import Numbers, Route, RoutedGroup
from ibs_notify.router.ports import KnownRoute
from ibs_notify.router.tables import LANES, ROUTES
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore
from ibs_notify.store.value_list import is_among, listed

_CHUNK = 500
_BY_ID = {
    dialect: Bulk(
        sa.select(
            ROUTES.c.route_id,
            ROUTES.c.group_name,
            ROUTES.c.target_name,
            ROUTES.c.target_uid,
            ROUTES.c.subscription_uid,
            ROUTES.c.recipients,
        ).where(is_among(ROUTES.c.route_id, "ids", dialect)),
        ("ids",),
    )
    for dialect in ("sqlite", "postgresql")
}


def register(
    connection: sa.Connection, routes: Iterable[Route], groups: Iterable[RoutedGroup]
) -> Numbers:
    """Store those of the routes and groups that are new; the numbers of all of them."""
    route_rows = {
        route.digest: {
            "digest": route.digest,
            "group_name": route.group,
            "target_name": route.target,
            "target_uid": route.target_uid,
            "subscription_uid": route.subscription_uid,
            "recipients": json.dumps(route.recipients),
        }
        for route in routes
    }
    lane_rows = {group.uid: {"group_uid": group.uid, "releases": b""} for group in groups}
    return Numbers(
        _numbers(connection, ROUTES, "digest", "route_id", route_rows),
        _numbers(connection, LANES, "group_uid", "lane_id", lane_rows),
    )


def _numbers(
    connection: sa.Connection,
    table: sa.Table,
    name: str,
    number: str,
    rows: Mapping[str, Mapping[str, Any]],
) -> dict[str, int]:
    """The number of each row by its unique name; rows that are not there yet are stored."""
    names = sorted(rows)
    known = sa.select(table.c[name], table.c[number])
    found = _known(connection, known, names)
    new = [each for each in names if each not in found]
    if new:
        insert = insert_or_ignore(table, connection.dialect.name)
        connection.execute(insert, [dict(rows[each]) for each in new])
        found |= _known(connection, known, new)
    return found


def _known(
    connection: sa.Connection, known: sa.Select[str, int], names: Sequence[str]
) -> dict[str, int]:
    name = known.selected_columns[0]
    found: dict[str, int] = {}
    for start in range(0, len(names), _CHUNK):
        for row in connection.execute(known.where(name.in_(names[start : start + _CHUNK]))):
            found[row[0]] = row[1]
    return found


def routes_by_id(connection: sa.Connection, ids: set[int]) -> Mapping[int, KnownRoute]:
    """The routes of these numbers."""
    dialect = connection.dialect.name
    rows = _BY_ID[dialect].fetch(connection, (listed(ids, dialect),))
    return {
        route_id: KnownRoute(group, target, uid, subscription, tuple(json.loads(recipients)))
        for route_id, group, target, uid, subscription, recipients in rows
    }
