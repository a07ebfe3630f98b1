"""A console with its services, fresh for each test; the secured one for each file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.console import Console, SecuredConsole, console, secured_console


@pytest_asyncio.fixture(name="console")
async def _console(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(name="secured", scope="module", loop_scope="module")
async def _secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredConsole]:
    async with secured_console(tmp_path_factory.mktemp("secured")) as running:
        yield running
