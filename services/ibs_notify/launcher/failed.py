"""How a command of the launcher fails."""

from __future__ import annotations

from typing import IO, Any

import click

from ibs_notify.domain.errors import NotificationError


class Failed(click.ClickException):
    """Ends the command with code 1 and says why, as the services and the command line do."""

    def __init__(self, error: NotificationError | OSError) -> None:
        super().__init__(str(error))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", file=file, err=file is None)
