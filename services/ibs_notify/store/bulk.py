"""Statements of the hot path, past SQLAlchemy's own handling, which costs more than SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPICursor


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
            with self._cursor(connection) as cursor:
                cursor.executemany(self._sql(connection), rows)

    def change(self, connection: sa.Connection, parameters: tuple[Any, ...]) -> int:
        """Execute once; how many rows it changed."""
        with self._cursor(connection) as cursor:
            cursor.execute(self._sql(connection), parameters)
            return cursor.rowcount

    def scalar(self, connection: sa.Connection, parameters: tuple[Any, ...]) -> Any:
        """Execute once; the first column of the row that it returns."""
        with self._cursor(connection) as cursor:
            cursor.execute(self._sql(connection), parameters)
            row: Any = cursor.fetchone()
        return row[0]

    def fetch(
        self, connection: sa.Connection, parameters: tuple[Any, ...]
    ) -> Sequence[tuple[Any, ...]]:
        """Execute once; all rows that it returns."""
        with self._cursor(connection) as cursor:
            cursor.execute(self._sql(connection), parameters)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return rows

    @contextmanager
    def _cursor(self, connection: sa.Connection) -> Iterator[DBAPICursor]:
        """A cursor of the driver; its errors come out as SQLAlchemy's."""
        driver = connection.dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            yield cursor
        except driver.Error as error:
            raise exc.DBAPIError.instance(
                self._sql(connection), None, error, driver.Error, dialect=connection.dialect
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


def bulk_insert(table: sa.Table) -> Bulk:
    """Insert rows that give every column, in the table's order."""
    names = [column.name for column in table.columns]
    return Bulk(sa.insert(table), names)
