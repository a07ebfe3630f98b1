"""How a command ends: what it says of a failure, and its exit code. Never a traceback.

Exit codes (``--help`` and docs/cli.md say the same):
    0 done · 1 what was asked about is not so · 2 usage · 3 not found · 4 refused
    5 a service cannot be reached or cannot answer now · 70 a fault of ours · 130 interrupted
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NoReturn

import click

from ibs_notify.cli.lazy import LazyGroup
from ibs_notify.domain import errors
from ibs_notify.domain.harmless import harmless


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    NOT_SO = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNAVAILABLE = 5
    BROKEN = 70
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
  0  done
  1  what was asked about is not so: a test failed, the ledger is not
     balanced, an audit log is broken, the rule does not match,
     coverage --strict found a gap
  2  the command line is wrong
  3  no such target, group, event, delivery, silence, token or key
  4  refused: invalid, in use, taken, changed in between, not allowed,
     or nobody knows who you are
  5  a service cannot be reached, or cannot answer now
 70  a fault of this program or of a service
130  interrupted
"""


def exit_code_of(error: errors.NotificationError) -> Exit:
    """The exit code of a failure."""
    match error:
        case errors.NotFound():
            return Exit.NOT_FOUND
        case errors.Unavailable() | errors.ResourceExhausted():
            return Exit.UNAVAILABLE
        case errors.Internal():
            return Exit.BROKEN
        case _:
            return Exit.REFUSED


def describe(error: errors.NotificationError) -> str:
    """``error: message``, a line for each bad field, and the advice."""
    head, listed = error.message, []
    violations = error.violations if isinstance(error, errors.InvalidArgument) else ()
    if len(violations) == 1 and head and violations[0].description.startswith(head):
        head = f"{violations[0].path}: {head}"
    elif violations:
        listed = [f"{each.path}: {each.description}" for each in violations]
        if head == "; ".join(listed):
            head = "the request is not valid"
    lines = [f"error: {harmless(head, keep_lines=True)}"]
    lines += [f"  {harmless(each)}" for each in listed]
    if error.advice:
        lines.append(f"advice: {harmless(error.advice, keep_lines=True)}")
    return "\n".join(lines)


class RootGroup(LazyGroup):
    """The outermost command: every way to end goes through its ``main``."""

    def main(  # type: ignore[override]  # click's overloads promise a return for one mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        given = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            _refuse_broken_text(given)
            result = super().main(given, prog_name or self.name, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_quietly()
        except Exception as error:  # noqa: BLE001  # whatever it is, the user gets a line
            sys.exit(_report(error))
        # Without standalone mode click returns the code of ctx.exit().
        sys.exit(result if isinstance(result, int) else Exit.OK)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Here, since click's main would make it exit code 1.
            _leave_quietly()


def _refuse_broken_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"{harmless(argument)!r} is not valid UTF-8") from None


def _report(error: Exception) -> int:
    if os.environ.get("IBS_NOTIFY_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    match error:
        case errors.NotificationError():
            click.echo(describe(error), err=True)
            return exit_code_of(error)
        case click.Abort():
            click.echo("interrupted", err=True)
            return Exit.INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return Exit.USAGE
        case click.UsageError():
            if error.ctx is not None:
                click.echo(error.ctx.get_usage(), err=True)
            click.echo(f"error: {harmless(error.format_message())}", err=True)
            if error.ctx is not None:
                click.echo(f"advice: {error.ctx.command_path} --help has examples", err=True)
            return Exit.USAGE
        case click.ClickException():
            click.echo(f"error: {harmless(error.format_message())}", err=True)
            return error.exit_code
        case _:
            what = harmless(f"{type(error).__name__}: {error}")
            click.echo(f"error: this program failed: {what}", err=True)
            click.echo("advice: IBS_NOTIFY_LOG_LEVEL=debug shows where", err=True)
            return Exit.BROKEN


def _leave_quietly() -> NoReturn:
    """Whoever read the output has enough. Python would complain when it flushes at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = sys.__stdout__
    sys.exit(Exit.OK)
