"""The command line, run in this process."""

from __future__ import annotations

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
