"""The command line, run in this process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ibs_notify.cli.tree import root
from tests.support.fake_services import FakeService

SERVICES = ("config", "router", "delivery")


@dataclass(frozen=True, slots=True)
class Cli:
    """``cli("target", "list")`` runs ``ironcore-backup notification target list``."""

    config: FakeService
    router: FakeService
    delivery: FakeService

    def __call__(self, *arguments: str, **extra: Any) -> Result:
        return CliRunner().invoke(root, ["notification", *arguments], **extra)

    def type_in(self, command: str, *more: str) -> Result:
        """Runs what a shell makes of ``command``, which must succeed; ``more`` are arguments."""
        said = subprocess.run(
            ["sh", "-c", f"printf '%s\\0' {command}"], check=True, capture_output=True, text=True
        )
        program, room, *arguments = said.stdout.removesuffix("\0").split("\0")
        assert (program, room) == ("ironcore-backup", "notification")
        result = self(*arguments, *more)
        assert result.exit_code == 0, result.output
        return result


@contextmanager
def running_fakes() -> Iterator[dict[str, FakeService]]:
    """The three services by their names."""
    servers = {name: FakeService(name) for name in SERVICES}
    for each in servers.values():
        each.start()
    yield servers
    for each in servers.values():
        each.stop()


def cli_of(servers: dict[str, FakeService], monkeypatch: pytest.MonkeyPatch, home: Path) -> Cli:
    """The command line, as alice has it, against ``servers`` that have forgotten everything."""
    for name, server in servers.items():
        server.reset()
        monkeypatch.setenv(f"IBS_NOTIFY_{name.upper()}_ADDRESS", server.address)
    monkeypatch.setenv("IBS_NOTIFY_HOME", str(home))
    monkeypatch.setenv("IBS_NOTIFY_USER", "alice")
    monkeypatch.delenv("IBS_NOTIFY_LOG_LEVEL", raising=False)
    return Cli(**servers)
