"""The command line against services whose answers a test chooses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Cli, cli_of, running_fakes
from tests.support.fake_services import FakeService


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[str, FakeService]]:
    with running_fakes() as servers:
        yield servers


@pytest.fixture
def cli(_servers: dict[str, FakeService], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return cli_of(_servers, monkeypatch, tmp_path)


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    return str(path)
