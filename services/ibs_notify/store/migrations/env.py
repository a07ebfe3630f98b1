"""Runs migrations on the connection, and in the transaction, that ``store.migrate`` opened."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table=config.attributes["version_table"],
    transactional_ddl=False,
)
context.run_migrations()
