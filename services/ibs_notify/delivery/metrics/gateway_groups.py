"""The groups that were made on Pushgateways: noted at first, removed with their target.

A target that is deleted, or goes to another gateway or job, leaves a group behind that nobody would
update any more. How it is reached is kept here, so that it is removed also after a restart.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa

from ibs_notify.delivery.tables import METRIC_GROUPS
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.target import PushgatewaySpec, Target
from ibs_notify.store.upsert import insert_or_replace

_C = METRIC_GROUPS.c


@dataclass(frozen=True, slots=True)
class GatewayGroup:
    """A group on a gateway. ``left_at``: since when no target has it any more."""

    target: Target
    spec: PushgatewaySpec
    sealed: Mapping[str, bytes]
    left_at: datetime | None = None

    @property
    def place(self) -> bytes:
        """Equal for groups that are the same one on the same gateway, whoever made them."""
        parts = [self.spec.url.rstrip("/"), self.spec.job, self.target.name]
        return sha256(json.dumps(parts).encode()).digest()


def note(connection: sa.Connection, group: GatewayGroup) -> None:
    """Keep how a group is reached now, replacing what was known of it."""
    content = {
        "name": group.target.name,
        "revision": group.target.revision,
        "spec": asdict(group.spec),
        "sealed": {field: base64.b64encode(data).decode() for field, data in group.sealed.items()},
    }
    statement = insert_or_replace(
        METRIC_GROUPS,
        connection.dialect.name,
        key=("target_uid", "place"),
        columns=("content", "left_at"),
    )
    left_at = None if group.left_at is None else to_micros(group.left_at)
    connection.execute(
        statement.values(
            target_uid=group.target.uid,
            place=group.place,
            content=json.dumps(content),
            left_at=left_at,
        )
    )


def noted(connection: sa.Connection) -> Sequence[GatewayGroup]:
    """All of them."""
    rows = connection.execute(
        sa.select(_C.target_uid, _C.content, _C.left_at).order_by(_C.target_uid, _C.place)
    )
    return [_group(row.target_uid, row.content, row.left_at) for row in rows]


def drop(connection: sa.Connection, group: GatewayGroup) -> None:
    """It is removed from its gateway, or given up."""
    connection.execute(
        sa.delete(METRIC_GROUPS).where(_C.target_uid == group.target.uid, _C.place == group.place)
    )


def _group(uid: str, content: str, left_at: int | None) -> GatewayGroup:
    kept = json.loads(content)
    spec = PushgatewaySpec(**kept["spec"])
    return GatewayGroup(
        target=Target(name=kept["name"], uid=uid, spec=spec, revision=kept["revision"]),
        spec=spec,
        sealed={field: base64.b64decode(data) for field, data in kept["sealed"].items()},
        left_at=None if left_at is None else from_micros(left_at),
    )
