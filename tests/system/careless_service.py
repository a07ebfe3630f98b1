"""A service that answers before its writes are synced: the replay of power cuts must convict it."""

from __future__ import annotations

import importlib
import sys

from ibs_notify.store import sqlite


class Careless(sqlite.SqliteDatabase):
    """With ``synchronous=NORMAL``: the file stays sound, but the newest commits may be gone."""

    def _assert_durable(self) -> None:
        driver = self._connection.connection.dbapi_connection
        assert driver is not None
        driver.cursor().execute("PRAGMA synchronous=NORMAL")


if __name__ == "__main__":
    sqlite.SqliteDatabase = Careless  # type: ignore[misc]  # what open_sqlite makes
    sys.exit(importlib.import_module(f"{sys.argv[1]}.__main__").main())
