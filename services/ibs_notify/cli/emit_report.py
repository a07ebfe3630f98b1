"""What ``emit --stdin`` tells: an answer a line, the sums, and on a terminal how it goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import click
import yaml

from ibs_notify.cli.emit_input import Line
from ibs_notify.cli.emit_view import accepted_line, refused_line
from ibs_notify.cli.output import document, json_text, warn
from ironcore.notification.v1 import router_service_pb2 as pb


@dataclass(slots=True)
class Tally:
    """What was answered so far."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accepted:,} accepted, {self.duplicates:,} accepted before, "
            f"{self.refused:,} refused"
        )


@dataclass(slots=True)
class Report:
    """Answers go to standard output; the rest to standard error, where ``progress`` draws.

    ``with`` it, so that nothing is drawn at the end.
    """

    output: str
    tally: Tally = field(default_factory=Tally)
    _progress: Any = None
    """A ``rich.progress.Progress``; None where nobody looks."""

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._progress = _drawn()
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, line: Line, result: pb.EmitResult) -> None:
        """Print the answer to a line, and count it."""
        self._count(result)
        if self.output == "json":
            click.echo(json_text({"line": line.number, **document(result)}))
        elif self.output == "yaml":
            text = yaml.safe_dump({"line": line.number, **document(result)})
            click.echo("---\n" + text, nl=False)
        elif result.HasField("error"):
            click.echo(f"line {line.number} {refused_line(result.error)}")
        else:
            click.echo(accepted_line(result.accepted))
            for each in result.accepted.warnings:
                warn(f"line {line.number}: {each}")

    def flush(self) -> None:
        """A program at the other end of a pipe gets each answer as soon as there is one."""
        sys.stdout.flush()
        if self._progress is not None:
            refused = f", {self.tally.refused:,} refused" if self.tally.refused else ""
            done = self.tally.accepted + self.tally.duplicates + self.tally.refused
            self._progress.update(0, completed=done, refused=refused)

    def note(self, text: str) -> None:
        """A line about how it goes."""
        click.echo(f"note: {text}", err=True)

    def _count(self, result: pb.EmitResult) -> None:
        if result.HasField("error"):
            self.tally.refused += 1
        elif result.accepted.duplicate:
            self.tally.duplicates += 1
        else:
            self.tally.accepted += 1


def _drawn() -> Any:
    # rich takes a tenth of a second to import, which programs need not wait for.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        """Answers a second, of late."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f}/s")

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} answered{task.fields[refused]}"),
        Rate(),
        console=Console(stderr=True),
        transient=True,
        # What is printed goes above the line that is drawn; what goes to a file goes there.
        redirect_stdout=sys.stdout.isatty(),
    )
    progress.add_task("", total=None, refused="")
    return progress
