"""``notification completion SHELL``: the script that makes a shell complete commands and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "ironcore-backup"
VARIABLE = "_IRONCORE_BACKUP_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(ironcore-backup notification completion bash)"
      eval "$(ironcore-backup notification completion zsh)"
      ironcore-backup notification completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
