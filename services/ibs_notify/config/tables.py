"""Config's tables. A resource is its message, serialised without secrets; secrets are apart."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

STATE = sa.Table(
    "config_state",
    METADATA,
    # One row. Whoever writes locks it first, so revisions are in order of commit.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    # New with each start of Config, so that a resume token of before is noticed: of another
    # database, or of this one before it was restored.
    sa.Column("log_id", sa.String(32), nullable=False),
)

TARGETS = sa.Table(
    "config_targets",
    METADATA,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("message", sa.LargeBinary, nullable=False),
)

SECRETS = sa.Table(
    "config_secrets",
    METADATA,
    sa.Column("target_uid", sa.String(32), sa.ForeignKey("config_targets.uid"), primary_key=True),
    sa.Column("field", sa.String(256), primary_key=True),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
)

GROUPS = sa.Table(
    "config_groups",
    METADATA,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("message", sa.LargeBinary, nullable=False),
)

SETTINGS = sa.Table(
    "config_settings",
    METADATA,
    # One row, or none before the first change.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
)

TOKENS = sa.Table(
    "config_tokens",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(63), nullable=False, unique=True),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
    # A row stays for good, so that no name is used twice.
    sa.Column("revoked", sa.Boolean, nullable=False),
    # To a minute; null: never. A use makes no revision, so it is not in the message.
    sa.Column("used_at", sa.BigInteger, nullable=True),
)

REVISIONS = sa.Table(
    "config_revisions",
    METADATA,
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    # A change of several resources has one revision, and a position for each.
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("author", sa.String(256), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("uid", sa.String(32), nullable=False),
    sa.Column("name", sa.String(63), nullable=False),
    sa.Column("operation", sa.String(16), nullable=False),
    # The resource as it was after the change, without secrets; empty for a deletion.
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
