"""``ibs-notify``: run the services and the console, all or one, and ask whether they serve.

Exit codes: 0 stopped by a signal, or healthy · 1 could not start, or not healthy · 2 wrong usage.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import click

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import NotificationError
from ibs_notify.launcher.backup import backup, hold
from ibs_notify.launcher.certs import certs
from ibs_notify.launcher.failed import Failed
from ibs_notify.launcher.up import up
from ibs_notify.settings import PROGRAMS, SERVICES, ProgramName, Settings, load

RELEASE = "ironcore-backup notification delivery release"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ibs-notify", prog_name="ibs-notify")
def main() -> None:
    """Run IBS Notifications.

    Settings come from IBS_NOTIFY_* variables and from settings.toml in IBS_NOTIFY_HOME.
    """


@main.command("up")
@click.option("--console/--no-console", default=True, help="Whether the web console runs as well.")
def run_all(console: bool) -> None:  # noqa: FBT001  # click passes flags as plain booleans
    """Run Config, Router, Delivery and the web console side by side until Ctrl-C."""
    try:
        up(load(), console=console)
    except NotificationError as error:
        raise Failed(error) from None


@main.command()
@click.argument("service", type=click.Choice(PROGRAMS), nargs=-1)
def health(service: tuple[ProgramName, ...]) -> None:
    """Say of each SERVICE, or of all, whether it serves.

    The console is shown, but counts for the exit code only where it is named: alerts are sent
    without it.
    """
    from ibs_notify.launcher.readiness import check_all  # noqa: PLC0415  # gRPC takes a while

    settings = _settings()
    try:
        states = asyncio.run(check_all(settings, service or PROGRAMS))
    except NotificationError as error:
        raise Failed(error) from None
    for name, state in states.items():
        at = settings.console_address if name == "console" else settings.address(name)
        click.echo(f"{name:<10}{at:<24}{state}")
    if settings.secured:
        from ibs_notify.launcher.certificates import expiry_warnings  # noqa: PLC0415  # as above

        for warning in expiry_warnings(settings, SystemClock().now()):
            click.echo(f"warning: {warning}", err=True)
    counted = service or SERVICES
    sys.exit(any(states[name] != "SERVING" for name in counted))


@main.command("backup", short_help="Copy the SQLite databases, also while the services run.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def save(directory: Path) -> None:
    """Copy the SQLite databases into DIRECTORY, also while the services run. Not the key file.

    A Delivery that is started from the copy sends nothing until it is told to.
    """
    try:
        copies = backup(_settings(), directory, SystemClock().now())
    except (NotificationError, OSError) as error:
        raise Failed(error) from None
    for each in copies:
        click.echo(each)
    click.echo(f"not copied: the keys in {_settings().key_source}; keep them apart from these")


@main.command("hold", short_help="Let Delivery send nothing from its next start on.")
def hold_queue() -> None:
    """Let Delivery send nothing from its next start on: after a restore, before the start."""
    try:
        since = hold(_settings(), SystemClock().now())
    except NotificationError as error:
        raise Failed(error) from None
    click.echo(f"held since {since:%Y-%m-%d %H:%M:%SZ}, until: {RELEASE}")


def _settings() -> Settings:
    try:
        return load()
    except NotificationError as error:
        raise Failed(error) from None


def _one(service: ProgramName) -> click.Command:
    def run() -> None:
        from ibs_notify.rpc.lifecycle import leave  # noqa: PLC0415  # it takes a while, as above

        leave(importlib.import_module(f"ibs_notify.{service}.__main__").main())

    name = "the web console" if service == "console" else service.capitalize()
    return click.Command(service, callback=run, help=f"Run {name} alone.")


main.add_command(certs)
for _service in PROGRAMS:
    main.add_command(_one(_service))

if __name__ == "__main__":
    main()
