"""What the suites of the databases share: one that is ready for the service of the file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade


@pytest.fixture
async def database(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Database]:
    """An empty database with the tables of the service that the mark ``tables`` names."""
    mark = request.node.get_closest_marker("tables")
    assert mark is not None, 'the file says pytestmark = pytest.mark.tables("delivery"), or whose'
    database = await open_database(database_url)
    await upgrade(database, mark.args[0])
    yield database
    await database.close()
