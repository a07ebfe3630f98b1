"""Reads the log of revisions for the watch: what changed since a place, as it is now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from ibs_notify.config import tables
from ibs_notify.config.ports import Deleted, Delta, Place, View
from ibs_notify.domain.errors import OutOfRange, Reason
from ironcore.notification.v1.config_service_pb2 import WatchedTarget, WatchedToken
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import SealedSecret, Target


class _View(View, Protocol):
    def targets_of(self, uids: Collection[str]) -> list[Target]: ...

    def groups_of(self, uids: Collection[str]) -> list[Group]: ...

    def watched_tokens(self, ids: Collection[str] | None = None) -> list[WatchedToken]: ...


class LogReader:
    """Lives for one read transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        view: _View,
        *,
        include_secrets: bool,
        include_tokens: bool = False,
    ) -> None:
        self._connection = connection
        self._view = view
        self._include_secrets = include_secrets
        self._include_tokens = include_tokens

    def everything(self) -> Delta:
        """The whole state."""
        return Delta(
            self._now(),
            targets=self._watched(self._view.targets()),
            groups=tuple(self._view.groups()),
            settings=self._view.settings(),
            tokens=tuple(self._view.watched_tokens()) if self._include_tokens else (),
        )

    def since(self, place: Place) -> Delta:
        """What changed after ``place``; ``OutOfRange`` as ``ports.Repository`` says."""
        now = self._now()
        self._require_kept(place, now)
        rows = self._rows_after(place.revision)
        targets = [row for row in rows if row.kind == "target"]
        groups = [row for row in rows if row.kind == "group"]
        tokens = {row.uid for row in rows if row.kind == "token" and self._include_tokens}
        return Delta(
            now,
            targets=self._watched(self._view.targets_of({row.uid for row in targets})),
            groups=tuple(self._view.groups_of({row.uid for row in groups})),
            deleted_targets=_deleted(targets),
            deleted_groups=_deleted(groups),
            settings=self._view.settings() if any(r.kind == "settings" for r in rows) else None,
            tokens=tuple(self._view.watched_tokens(tokens)) if tokens else (),
        )

    def _now(self) -> Place:
        row = self._connection.execute(
            sa.select(tables.STATE.c.log_id, tables.STATE.c.revision)
        ).one()
        return Place(row.log_id, row.revision)

    def _require_kept(self, place: Place, now: Place) -> None:
        oldest = self._connection.execute(
            sa.select(sa.func.min(tables.REVISIONS.c.revision))
        ).scalar_one_or_none()
        kept = place.revision == now.revision or (
            oldest is not None and oldest - 1 <= place.revision < now.revision
        )
        if place.log_id != now.log_id or not kept:
            raise OutOfRange(
                Reason.RESUME_TOKEN_EXPIRED,
                "the resume token is not, or no longer, a place in the log of this configuration",
                advice="watch again without a token to get the whole current state",
            )

    def _rows_after(self, revision: int) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        log = tables.REVISIONS.c
        return self._connection.execute(
            sa.select(log.revision, log.kind, log.uid, log.operation)
            .where(log.revision > revision)
            .order_by(log.revision, log.position)
        ).all()

    def _watched(self, targets: Iterable[Target]) -> tuple[WatchedTarget, ...]:
        return tuple(
            WatchedTarget(target=target, secrets=self._secrets(target.uid)) for target in targets
        )

    def _secrets(self, uid: str) -> list[SealedSecret]:
        if not self._include_secrets:
            return []
        return [
            SealedSecret(field=field, ciphertext=ciphertext)
            for field, ciphertext in sorted(self._view.sealed(uid).items())
        ]


def _deleted(rows: Iterable[sa.Row[*tuple[Any, ...]]]) -> tuple[Deleted, ...]:
    # A uid is never used again, so what was deleted once stays deleted.
    return tuple(Deleted(row.uid, row.revision) for row in rows if row.operation == "deleted")
