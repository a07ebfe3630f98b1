"""A console with its services, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.support.console import Console, console


@pytest_asyncio.fixture(name="console")
async def _console(tmp_path: Path) -> AsyncIterator[Console]:
    async with console(tmp_path) as running:
        yield running
