"""The command line against services whose answers a test chooses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Cli
from tests.support.fake_services import FakeService

SERVICES = ("config", "router", "delivery")


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[str, FakeService]]:
    servers = {name: FakeService(name) for name in SERVICES}
    for each in servers.values():
        each.start()
    yield servers
    for each in servers.values():
        each.stop()


@pytest.fixture
def cli(_servers: dict[str, FakeService], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    for name, server in _servers.items():
        server.reset()
        monkeypatch.setenv(f"IBS_NOTIFY_{name.upper()}_ADDRESS", server.address)
    monkeypatch.setenv("IBS_NOTIFY_HOME", str(tmp_path))
    monkeypatch.setenv("IBS_NOTIFY_USER", "alice")
    monkeypatch.delenv("IBS_NOTIFY_LOG_LEVEL", raising=False)
    return Cli(**_servers)


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    return str(path)
