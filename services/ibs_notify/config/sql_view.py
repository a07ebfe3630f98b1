"""Reads the configuration in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from ibs_notify.config import tables
from ibs_notify.config.secret_fields import show_stored
from ibs_notify.domain.clock import from_micros
from ibs_notify.secrets.envelope import HEAD_BYTES, head_of, key_id_of
from ironcore.notification.v1.config_service_pb2 import WatchedToken
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target
from ironcore.notification.v1.token_pb2 import Token


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

    def key_counts(self) -> Mapping[str, int]:
        head = sa.func.substr(tables.SECRETS.c.ciphertext, 1, HEAD_BYTES)
        return Counter(key_id_of(bytes(each)) for each in self._connection.scalars(sa.select(head)))

    def sealed_with_others(
        self, key_id: str, after: str = "", limit: int | None = None
    ) -> dict[str, dict[str, bytes]]:
        secrets, head = tables.SECRETS.c, head_of(key_id)
        others = sa.and_(
            secrets.target_uid > after,
            sa.func.substr(secrets.ciphertext, 1, len(head)) != head,
        )
        uids = sa.select(secrets.target_uid).where(others).distinct()
        query = sa.select(secrets.target_uid, secrets.field, secrets.ciphertext).where(
            others, secrets.target_uid.in_(uids.order_by(secrets.target_uid).limit(limit))
        )
        found: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        for row in self._connection.execute(query.order_by(secrets.target_uid)):
            found[row.target_uid][row.field] = bytes(row.ciphertext)
        return found

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
            return Settings(time_zone="UTC", etag=etag_of(0))
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


def etag_of(revision: int) -> str:
    """The etag of what was last changed by a revision."""
    return f"r{revision}"
