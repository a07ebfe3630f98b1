"""The command line, run in this process."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner, Result

from ibs_notify.cli.tree import root
from tests.support.fake_services import FakeService


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
