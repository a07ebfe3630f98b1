"""Writes a change of the configuration: its revision, its log and its audit entries with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from uuid import uuid4

import sqlalchemy as sa

from ibs_notify.audit.document import Document
from ibs_notify.audit.entry import Act
from ibs_notify.audit.journal import append
from ibs_notify.config import tables
from ibs_notify.config.audited import (
    act_of,
    group_document,
    settings_document,
    target_document,
    token_document,
)
from ibs_notify.config.secret_fields import show_stored, take_secrets
from ibs_notify.config.sql_view import SqlView, etag_of
from ibs_notify.domain.clock import Clock, to_micros
from ibs_notify.store.upsert import insert_or_replace
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target
from ironcore.notification.v1.token_pb2 import Token

Resource: TypeAlias = Target | Group | Settings
Operation = Literal["created", "updated", "resealed", "deleted", "revoked"]


class SqlChange(SqlView):
    """See ``ports.Change``. Making one takes the lock that lets one writer go at a time."""

    def __init__(self, connection: sa.Connection, clock: Clock, author: str) -> None:
        super().__init__(connection)
        current = connection.execute(sa.select(tables.STATE.c.revision).with_for_update())
        self._last: int = current.scalar_one()
        # Read under the lock, so that times and revisions have the same order.
        self._now = clock.now()
        self._author = author
        self._log: list[dict[str, Any]] = []

    @property
    def revision(self) -> int:
        return self._last + 1

    def put_target(self, target: Target, sealed: Mapping[str, bytes]) -> Target:
        take_secrets(target)
        show_stored(target, ())
        new = target.revision == 0
        before = None if new else self._target_document(target.uid)
        self._stamp(target)
        self._put(tables.TARGETS, target, new=new)
        self._put_secrets(target.uid, sealed)
        action, after = _action("target", new=new), target_document(target, sealed)
        self.audit(act_of(action, f"target/{target.name}", before, after))
        show_stored(target, sealed.keys())
        return target

    def reseal(self, target_uid: str, sealed: Mapping[str, bytes]) -> None:
        table = tables.SECRETS
        for field, ciphertext in sealed.items():
            self._connection.execute(
                sa.update(table)
                .where(table.c.target_uid == target_uid, table.c.field == field)
                .values(ciphertext=ciphertext)
            )
        targets = tables.TARGETS.c
        row = self._connection.execute(
            sa.select(targets.name, targets.message).where(targets.uid == target_uid)
        ).one()
        self._note("target", target_uid, row.name, "resealed", bytes(row.message))

    def delete_target(self, target: Target) -> None:
        before = self._target_document(target.uid)
        self._put_secrets(target.uid, {})
        self._delete(tables.TARGETS, target)
        self.audit(act_of("target.delete", f"target/{target.name}", before, None))

    def put_group(self, group: Group) -> Group:
        new = group.revision == 0
        before = None if new else self._group_document(group.uid)
        self._stamp(group)
        self._put(tables.GROUPS, group, new=new)
        action = _action("group", new=new)
        self.audit(act_of(action, f"group/{group.name}", before, group_document(group)))
        return group

    def delete_group(self, group: Group) -> None:
        before = self._group_document(group.uid)
        self._delete(tables.GROUPS, group)
        self.audit(act_of("group.delete", f"group/{group.name}", before, None))

    def put_settings(self, settings: Settings) -> Settings:
        before = settings_document(self.settings())
        settings.revision = self.revision
        settings.etag = etag_of(self.revision)
        settings.update_time.FromDatetime(self._now)
        settings.updated_by = self._author
        statement = insert_or_replace(
            tables.SETTINGS, self._connection.dialect.name, key=("id",), columns=("message",)
        )
        message = settings.SerializeToString()
        self._connection.execute(statement, [{"id": 1, "message": message}])
        self._note("settings", "", "", "updated", message)
        self.audit(act_of("settings.update", "settings", before, settings_document(settings)))
        return settings

    def add_token(self, token: Token, secret_hash: bytes) -> Token:
        token.revision = self.revision
        token.create_time.FromDatetime(self._now)
        token.created_by = self._author
        message = token.SerializeToString()
        self._connection.execute(
            sa.insert(tables.TOKENS).values(
                id=token.id,
                name=token.name,
                secret_hash=secret_hash,
                message=message,
                revoked=False,
            )
        )
        self._note("token", token.id, token.name, "created", message)
        self.audit(act_of("token.create", f"token/{token.name}", None, token_document(token)))
        return token

    def revoke_token(self, token: Token) -> Token:
        before = token_document(token)
        token.revision = self.revision
        token.revoke_time.FromDatetime(self._now)
        token.revoked_by = self._author
        kept = Token()
        kept.CopyFrom(token)
        kept.ClearField("last_use_time")
        message = kept.SerializeToString()
        self._connection.execute(
            sa.update(tables.TOKENS)
            .where(tables.TOKENS.c.id == token.id)
            .values(message=message, revoked=True)
        )
        self._note("token", token.id, token.name, "revoked", message)
        self.audit(act_of("token.revoke", f"token/{token.name}", before, token_document(kept)))
        return token

    def audit(self, act: Act) -> None:
        append(self._connection, tables.AUDIT, self._author, act, self._now)

    def finish(self, kept_revisions: int) -> int:
        """Write the log and forget what is too old. Returns the revision in force."""
        if not self._log:
            return self._last
        self._connection.execute(sa.insert(tables.REVISIONS), self._log)
        self._connection.execute(
            sa.delete(tables.REVISIONS).where(
                tables.REVISIONS.c.revision <= self.revision - kept_revisions
            )
        )
        self._connection.execute(sa.update(tables.STATE).values(revision=self.revision))
        return self.revision

    def _target_document(self, uid: str) -> Document:
        return target_document(self.targets_of([uid])[0], self.sealed(uid))

    def _group_document(self, uid: str) -> Document:
        return group_document(self.groups_of([uid])[0])

    def _stamp(self, resource: Target | Group) -> None:
        if resource.revision == 0:
            resource.uid = resource.uid or uuid4().hex
            resource.create_time.FromDatetime(self._now)
            resource.created_by = self._author
        resource.revision = self.revision
        resource.etag = etag_of(self.revision)
        resource.update_time.FromDatetime(self._now)
        resource.updated_by = self._author

    def _put(self, table: sa.Table, resource: Target | Group, *, new: bool) -> None:
        message = resource.SerializeToString()
        if new:
            statement: sa.Insert | sa.Update = sa.insert(table).values(
                uid=resource.uid, name=resource.name, message=message
            )
        else:
            statement = sa.update(table).where(table.c.uid == resource.uid).values(message=message)
        self._connection.execute(statement)
        operation: Operation = "created" if new else "updated"
        self._note(_kind(table), resource.uid, resource.name, operation, message)

    def _delete(self, table: sa.Table, resource: Target | Group) -> None:
        self._connection.execute(sa.delete(table).where(table.c.uid == resource.uid))
        self._note(_kind(table), resource.uid, resource.name, "deleted", b"")

    def _put_secrets(self, target_uid: str, sealed: Mapping[str, bytes]) -> None:
        self._connection.execute(
            sa.delete(tables.SECRETS).where(tables.SECRETS.c.target_uid == target_uid)
        )
        if sealed:
            self._connection.execute(
                sa.insert(tables.SECRETS),
                [
                    {"target_uid": target_uid, "field": field, "ciphertext": ciphertext}
                    for field, ciphertext in sealed.items()
                ],
            )

    def _note(self, kind: str, uid: str, name: str, operation: Operation, payload: bytes) -> None:
        self._log.append(
            {
                "revision": self.revision,
                "position": len(self._log),
                "at": to_micros(self._now),
                "author": self._author,
                "kind": kind,
                "uid": uid,
                "name": name,
                "operation": operation,
                "payload": payload,
            }
        )


def _kind(table: sa.Table) -> str:
    return "target" if table is tables.TARGETS else "group"


def _action(kind: str, *, new: bool) -> str:
    return f"{kind}.create" if new else f"{kind}.update"
