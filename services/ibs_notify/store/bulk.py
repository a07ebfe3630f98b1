"""Statements of the hot path, past SQLAlchemy's own handling, which costs more than SQLite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPICursor

T = TypeVar("T")


class Bulk:
    """A statement that is compiled once for each dialect and run with plain tuples.

    The tuples are in the order of the statement's parameters; ``parameters`` names that order.
    """

    def __init__(self, statement: sa.ClauseElement, parameters: Sequence[str]) -> None:
        self._statement = statement
        self._parameters = tuple(parameters)
        self._compiled: dict[str, str] = {}

    def run(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute for every row; an empty sequence does nothing."""
        if rows:
            self._on_cursor(connection, lambda cursor, sql: cursor.executemany(sql, rows))

    def change(self, connection: sa.Connection, parameters: tuple[Any, ...]) -> int:
        """Execute once; how many rows it changed."""

        def execute(cursor: DBAPICursor, sql: str) -> int:
            cursor.execute(sql, parameters)
            return cursor.rowcount

        return self._on_cursor(connection, execute)

    def scalar(self, connection: sa.Connection, parameters: tuple[Any, ...]) -> Any:
        """Execute once; the first column of the row that it returns."""

        def execute(cursor: DBAPICursor, sql: str) -> Any:
            cursor.execute(sql, parameters)
            return cursor.fetchone()

        return self._on_cursor(connection, execute)[0]

    def fetch(
        self, connection: sa.Connection, parameters: tuple[Any, ...]
    ) -> Sequence[tuple[Any, ...]]:
        """Execute once; all rows that it returns."""

        def execute(cursor: DBAPICursor, sql: str) -> Sequence[tuple[Any, ...]]:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

        return self._on_cursor(connection, execute)

    def _on_cursor(self, connection: sa.Connection, work: Callable[[DBAPICursor, str], T]) -> T:
        """Run ``work`` on a cursor of the driver; its errors come out as SQLAlchemy's."""
        sql = self._sql(connection)
        driver = connection.dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            return work(cursor, sql)
        except driver.Error as error:
            raise exc.DBAPIError.instance(
                sql, None, error, driver.Error, dialect=connection.dialect
            ) from error
        finally:
            cursor.close()

    def _sql(self, connection: sa.Connection) -> str:
        name = connection.dialect.name
        sql = self._compiled.get(name)
        if sql is None:
            compiled = self._statement.compile(
                dialect=connection.dialect, column_keys=list(self._parameters)
            )
            order = tuple(getattr(compiled, "positiontup", None) or ())
            if order != self._parameters:
                raise ValueError(f"parameters are in the order {order}, not {self._parameters}")
            sql = self._compiled[name] = str(compiled)
        return sql


def bulk_insert(table: sa.Table, *, without: Collection[str] = ()) -> Bulk:
    """Insert rows that give every column but those ``without`` a value, in the table's order."""
    names = [column.name for column in table.columns if column.name not in without]
    return Bulk(sa.insert(table), names)
