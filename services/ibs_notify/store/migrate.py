"""Bring a service's database to the schema of this release."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.store.database import Database

SCRIPTS = Path(__file__).parent / "migrations"
_RACE_TRIES = 3


async def upgrade(database: Database, service: str) -> None:
    """Apply what is missing of ``migrations/SERVICE``, in one transaction.

    Two replicas that start at once both try; the second one finds the work done. Raises
    ``FailedPrecondition`` where the schema is of a later release.
    """
    for attempt in range(1, _RACE_TRIES + 1):
        try:
            await database.write(lambda connection: _upgrade(connection, service))
        except exc.DBAPIError:
            if attempt == _RACE_TRIES:
                raise
        else:
            return


async def downgrade(database: Database, service: str, revision: str) -> None:
    """Go back to ``revision``; ``base`` is the empty database."""

    def run(connection: sa.Connection) -> None:
        from alembic import command  # noqa: PLC0415  # only needed when the schema changes

        command.downgrade(_alembic_config(connection, service), revision)

    await database.write(run)


def latest(service: str) -> str:
    """The newest revision of a service's scripts; they are numbered files."""
    return max(path.name for path in (SCRIPTS / service).glob("[0-9]*.py")).partition("_")[0]


def _upgrade(connection: sa.Connection, service: str) -> None:
    table = version_table(service)
    if sa.inspect(connection).has_table(table):
        current = connection.execute(
            sa.select(sa.column("version_num")).select_from(sa.table(table))
        ).scalar()
        if current == latest(service):
            return
        if current is not None and not list((SCRIPTS / service).glob(f"{current}_*.py")):
            raise FailedPrecondition(
                Reason.STORAGE_UNAVAILABLE,
                f"the database of {service} has the schema {current} of a later release; "
                f"this one knows up to {latest(service)}",
                advice="start that release, or restore a backup from before its first start",
            )
    # Alembic takes a quarter of a second to import; a start that has nothing to do spares it.
    from alembic import command  # noqa: PLC0415

    command.upgrade(_alembic_config(connection, service), "head")


def version_table(service: str) -> str:
    """Where alembic notes the revision; services may share a database."""
    return f"{service}_schema_version"


def _alembic_config(connection: sa.Connection, service: str):  # type: ignore[no-untyped-def]  # alembic is imported late
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(SCRIPTS / service))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table(service)
    return config
