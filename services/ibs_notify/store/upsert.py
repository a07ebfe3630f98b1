"""The one statement that the two databases spell alike but SQLAlchemy keeps per dialect."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_ignore(table: sa.Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """``INSERT … ON CONFLICT DO NOTHING``: rows whose key is there already are left as they are."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_or_replace(
    table: sa.Table, dialect: str, *, key: Sequence[str], columns: Sequence[str]
) -> sqlite.Insert | postgresql.Insert:
    """``INSERT … ON CONFLICT (key) DO UPDATE`` of ``columns`` with the new values."""
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(
            index_elements=list(key), set_={name: lite.excluded[name] for name in columns}
        )
    big = postgresql.insert(table)
    return big.on_conflict_do_update(
        index_elements=list(key), set_={name: big.excluded[name] for name in columns}
    )


def insert_or_add(table: sa.Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """``INSERT … ON CONFLICT DO UPDATE``: what is no key is added to what is there."""
    more = [column for column in table.columns if not column.primary_key]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={each.name: each + lite.excluded[each.name] for each in more},
        )
    big = postgresql.insert(table)
    return big.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={each.name: each + big.excluded[each.name] for each in more},
    )
