"""The configuration in a database: SQLite or PostgreSQL, the same statements."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import uuid4

import sqlalchemy as sa

from ibs_notify.config import tables
from ibs_notify.config.ports import Change, Delta, Place, View
from ibs_notify.config.revision_log import LogReader
from ibs_notify.config.secret_fields import show_stored, take_secrets
from ibs_notify.domain.clock import Clock, from_micros, to_micros
from ibs_notify.store.database import Database
from ibs_notify.store.upsert import insert_or_replace
from ironcore.notification.v1.config_service_pb2 import WatchedToken
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target
from ironcore.notification.v1.token_pb2 import Token

log = logging.getLogger(__name__)

T = TypeVar("T")
Resource: TypeAlias = Target | Group | Settings
Operation = Literal["created", "updated", "deleted", "revoked"]

KEPT_REVISIONS = 10_000
_MINUTE = timedelta(minutes=1) // timedelta(microseconds=1)


class ConfigRepository:
    """``announce`` is told each revision that this process has committed.

    The log is pruned to the last ``kept_revisions``; older resume tokens are refused.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        announce: Callable[[int], None],
        *,
        kept_revisions: int = KEPT_REVISIONS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._announce = announce
        self._kept_revisions = kept_revisions

    async def read(self, look: Callable[[View], T]) -> T:
        return await self._database.read(lambda connection: look(SqlView(connection)))

    async def change(self, author: str, work: Callable[[Change], T]) -> T:
        def run(connection: sa.Connection) -> tuple[T, int]:
            change = SqlChange(connection, self._clock, author)
            answer = work(change)
            return answer, change.finish(self._kept_revisions)

        answer, revision = await self._database.write(run)
        self._announce(revision)
        return answer

    async def revision(self) -> int:
        return await self._database.read(
            lambda connection: connection.execute(sa.select(tables.STATE.c.revision)).scalar_one()
        )

    async def sealed_count(self) -> int:
        return await self._database.read(
            lambda c: c.execute(sa.select(sa.func.count()).select_from(tables.SECRETS)).scalar_one()
        )

    async def begin_log(self) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                sa.update(tables.STATE).values(log_id=uuid4().hex)
            )
        )

    async def step_over(self, seen: int) -> None:
        if seen <= await self.revision():
            return

        def work(connection: sa.Connection) -> int:
            return connection.execute(
                sa.update(tables.STATE)
                .where(tables.STATE.c.revision < seen)
                .values(revision=seen + 1, log_id=uuid4().hex)
            ).rowcount

        if await self._database.write(work):
            log.warning("revision %d is lost: was the database restored? Going on above it", seen)
            self._announce(seen + 1)

    async def note_token_uses(self, uses: Mapping[str, datetime]) -> None:
        used = {token_id: to_micros(at) // _MINUTE * _MINUTE for token_id, at in uses.items()}
        await self._database.write(lambda connection: _note_uses(connection, used))

    async def changes_since(
        self, place: Place | None, *, include_secrets: bool, include_tokens: bool = False
    ) -> Delta:
        def work(connection: sa.Connection) -> Delta:
            log = LogReader(
                connection,
                SqlView(connection),
                include_secrets=include_secrets,
                include_tokens=include_tokens,
            )
            return log.everything() if place is None else log.since(place)

        return await self._database.read(work)


class SqlView:
    """See ``ports.View``."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def target(self, name: str) -> Target | None:
        found = self._targets(tables.TARGETS.c.name == name)
        return found[0] if found else None

    def targets(self, after: str = "", limit: int | None = None) -> list[Target]:
        return self._targets(self._name(tables.TARGETS) > after, limit)

    def targets_of(self, uids: Collection[str]) -> list[Target]:
        """The targets of these uids that there are, in order of name."""
        return self._targets(tables.TARGETS.c.uid.in_(uids))

    def sealed(self, target_uid: str) -> dict[str, bytes]:
        secrets = tables.SECRETS.c
        rows = self._connection.execute(
            sa.select(secrets.field, secrets.ciphertext).where(secrets.target_uid == target_uid)
        )
        return {row.field: bytes(row.ciphertext) for row in rows}

    def group(self, name: str) -> Group | None:
        found = self._groups(tables.GROUPS.c.name == name)
        return found[0] if found else None

    def groups(self, after: str = "", limit: int | None = None) -> list[Group]:
        return self._groups(self._name(tables.GROUPS) > after, limit)

    def groups_of(self, uids: Collection[str]) -> list[Group]:
        """The groups of these uids that there are, in order of name."""
        return self._groups(tables.GROUPS.c.uid.in_(uids))

    def settings(self) -> Settings:
        row = self._connection.execute(sa.select(tables.SETTINGS.c.message)).scalar_one_or_none()
        if row is None:
            return Settings(time_zone="UTC", etag=_etag(0))
        return Settings.FromString(bytes(row))

    def token(self, name: str) -> Token | None:
        found = self._tokens(tables.TOKENS.c.name == name)
        return found[0] if found else None

    def tokens(
        self, after: str = "", limit: int | None = None, *, include_revoked: bool = False
    ) -> list[Token]:
        where = self._name(tables.TOKENS) > after
        if not include_revoked:
            where &= ~tables.TOKENS.c.revoked
        return self._tokens(where, limit)

    def token_count(self) -> int:
        count = sa.select(sa.func.count()).select_from(tables.TOKENS)
        return self._connection.execute(count.where(~tables.TOKENS.c.revoked)).scalar_one()

    def watched_tokens(self, ids: Collection[str] | None = None) -> list[WatchedToken]:
        """The tokens of these ids; ``None``: all that are not revoked."""
        tokens = tables.TOKENS.c
        where = ~tokens.revoked if ids is None else tokens.id.in_(ids)
        rows = self._connection.execute(
            sa.select(tokens.message, tokens.secret_hash).where(where).order_by(tokens.id)
        )
        return [
            WatchedToken(
                token=Token.FromString(bytes(row.message)), secret_hash=bytes(row.secret_hash)
            )
            for row in rows
        ]

    def _tokens(self, where: sa.ColumnElement[bool], limit: int | None = None) -> list[Token]:
        table = tables.TOKENS
        query = sa.select(table.c.message, table.c.used_at).where(where)
        found: list[Token] = []
        for row in self._connection.execute(query.order_by(self._name(table)).limit(limit)):
            token = Token.FromString(bytes(row.message))
            if row.used_at is not None:
                token.last_use_time.FromDatetime(from_micros(row.used_at))
            found.append(token)
        return found

    def _targets(self, where: sa.ColumnElement[bool], limit: int | None = None) -> list[Target]:
        messages = self._messages(tables.TARGETS, where, limit)
        targets = [Target.FromString(message) for message in messages]
        stored = self._stored_fields([target.uid for target in targets])
        for target in targets:
            show_stored(target, stored[target.uid])
        return targets

    def _groups(self, where: sa.ColumnElement[bool], limit: int | None = None) -> list[Group]:
        return [Group.FromString(each) for each in self._messages(tables.GROUPS, where, limit)]

    def _messages(
        self, table: sa.Table, where: sa.ColumnElement[bool], limit: int | None
    ) -> list[bytes]:
        query = sa.select(table.c.message).where(where).order_by(self._name(table)).limit(limit)
        return [bytes(message) for message in self._connection.execute(query).scalars()]

    def _stored_fields(self, uids: Collection[str]) -> Mapping[str, set[str]]:
        secrets = tables.SECRETS.c
        query = sa.select(secrets.target_uid, secrets.field).where(secrets.target_uid.in_(uids))
        stored: defaultdict[str, set[str]] = defaultdict(set)
        for row in self._connection.execute(query):
            stored[row.target_uid].add(row.field)
        return stored

    def _name(self, table: sa.Table) -> sa.ColumnElement[str]:
        """The name, compared by code point, whatever the collation of a PostgreSQL database."""
        name = table.c.name
        return name.collate("C") if self._connection.dialect.name == "postgresql" else name


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
        self._stamp(target)
        self._put(tables.TARGETS, target, new=new)
        self._put_secrets(target.uid, sealed)
        show_stored(target, sealed.keys())
        return target

    def delete_target(self, target: Target) -> None:
        self._put_secrets(target.uid, {})
        self._delete(tables.TARGETS, target)

    def put_group(self, group: Group) -> Group:
        new = group.revision == 0
        self._stamp(group)
        self._put(tables.GROUPS, group, new=new)
        return group

    def delete_group(self, group: Group) -> None:
        self._delete(tables.GROUPS, group)

    def put_settings(self, settings: Settings) -> Settings:
        settings.revision = self.revision
        settings.etag = _etag(self.revision)
        settings.update_time.FromDatetime(self._now)
        settings.updated_by = self._author
        statement = insert_or_replace(
            tables.SETTINGS, self._connection.dialect.name, key=("id",), columns=("message",)
        )
        message = settings.SerializeToString()
        self._connection.execute(statement, [{"id": 1, "message": message}])
        self._note("settings", "", "", "updated", message)
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
        return token

    def revoke_token(self, token: Token) -> Token:
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
        return token

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

    def _stamp(self, resource: Target | Group) -> None:
        if resource.revision == 0:
            resource.uid = resource.uid or uuid4().hex
            resource.create_time.FromDatetime(self._now)
            resource.created_by = self._author
        resource.revision = self.revision
        resource.etag = _etag(self.revision)
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


def _note_uses(connection: sa.Connection, used: Mapping[str, int]) -> None:
    tokens = tables.TOKENS.c
    # In one order, so that two replicas never wait for each other.
    for token_id in sorted(used):
        later = sa.or_(tokens.used_at.is_(None), tokens.used_at < used[token_id])
        connection.execute(
            sa.update(tables.TOKENS)
            .where(tokens.id == token_id, later)
            .values(used_at=used[token_id])
        )


def _kind(table: sa.Table) -> str:
    return "target" if table is tables.TARGETS else "group"


def _etag(revision: int) -> str:
    return f"r{revision}"
