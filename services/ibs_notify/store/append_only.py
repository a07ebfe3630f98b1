"""Triggers that let the database itself refuse to change or delete a row. For migrations.

A released migration runs as it was: what is here only ever gets company, and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa


def make_append_only(connection: sa.Connection, table: str, number: str) -> None:
    """Let ``table`` only take rows whose ``number`` follows on the last one; 1 is the first.

    Dropping the table drops the triggers too; on PostgreSQL ``forget_append_only`` does the rest.
    """
    sqlite = connection.dialect.name == "sqlite"
    for statement in _sqlite(table, number) if sqlite else _postgresql(table):
        connection.exec_driver_sql(statement)


def forget_append_only(connection: sa.Connection, table: str) -> None:
    """What is left over once the table is dropped."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {table}_refuse()")


def _sqlite(table: str, number: str) -> Iterator[str]:
    for operation in ("UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER {table}_no_{operation.lower()} BEFORE {operation} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    # INSERT OR REPLACE deletes the former row without asking the triggers above.
    following = f"(SELECT COALESCE(MAX({number}), 0) + 1 FROM {table})"  # noqa: S608  # a migration's names
    yield (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN NEW.{number} <> {following} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _postgresql(table: str) -> Iterator[str]:
    yield (
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    yield (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
