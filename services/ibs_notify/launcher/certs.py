"""``ibs-notify certs``: a private CA and the certificates of an installation."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import NotificationError
from ibs_notify.launcher.failed import Failed
from ibs_notify.settings import PREFIX, load

LEAF_DAYS = 365
_DIRECTORY = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are. Default: the setting tls_directory, else tls in the home.",
)
_HOSTS = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which clients look for services and console; may be repeated.",
)


def _days_option(command: Any) -> Any:
    return click.option(
        "--days",
        type=click.IntRange(1, 3650),
        default=LEAF_DAYS,
        show_default=True,
        help="So long the certificates of services and administrator are valid.",
    )(command)


@click.group()
def certs() -> None:
    """Make, renew and show the certificates of this installation."""


@certs.command("init", short_help="Make a private CA and all certificates.")
@_DIRECTORY
@_HOSTS
@_days_option
def make(directory: Path | None, hosts: tuple[str, ...], days: int) -> None:
    """Make a private CA, valid for 10 years, and the certificates that it issues.

    They are for Config, Router, Delivery, the console and the administrator. Nothing is
    overwritten.
    """
    from ibs_notify.launcher import certificates  # noqa: PLC0415  # takes a while

    try:
        place = _place(directory)
        if directory is None and place.is_relative_to(home := load().home.absolute()):
            # Made in passing it would be open to others.
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificates.init(place, hosts, days, SystemClock().now())
    except (NotificationError, OSError) as error:
        raise Failed(error) from None
    _print(place)
    click.echo(
        f"\nNext: set tls_directory, as by {PREFIX}TLS_DIRECTORY={shlex.quote(str(place))}\n"
        f"Keep {place / 'ca.key'} where only you reach it: it is needed for certs renew alone."
    )


@certs.command("renew", short_help="Replace all certificates; services take them up by themselves.")
@_DIRECTORY
@click.option(
    "--ca-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The key of the CA, where it is kept elsewhere. Default: ca.key in the directory.",
)
@_HOSTS
@_days_option
def renew(directory: Path | None, ca_key: Path | None, hosts: tuple[str, ...], days: int) -> None:
    """Replace certificates and keys by new ones of the same CA.

    The services take them up without a restart. Host names of before are kept.
    """
    from ibs_notify.launcher import certificates  # noqa: PLC0415  # takes a while

    try:
        place = _place(directory)
        ca_key = ca_key or place / certificates.CA_KEY_FILE
        certificates.renew(place, ca_key, hosts, days, SystemClock().now())
    except (NotificationError, OSError) as error:
        raise Failed(error) from None
    _print(place)


@certs.command("show")
@_DIRECTORY
def show(directory: Path | None) -> None:
    """Say of each certificate who it is for, its names and its end. Exit code 1 for a fault."""
    try:
        sound = _print(_place(directory))
    except (NotificationError, OSError) as error:
        raise Failed(error) from None
    sys.exit(not sound)


def _place(directory: Path | None) -> Path:
    if directory is not None:
        return directory.absolute()
    settings = load()
    return Path(settings.tls_directory or settings.home / "tls").absolute()


def _print(directory: Path) -> bool:
    """Show what is there; whether all of it can be used."""
    from ibs_notify.launcher import certificates  # noqa: PLC0415  # takes a while

    now = SystemClock().now()
    shown = certificates.show(directory, now)
    click.echo(str(directory))
    for each in shown:
        days = (each.expires - now).days
        click.echo(f"  {each.file:<18} until {each.expires:%Y-%m-%d} ({days} days)  {each.subject}")
        if each.names:
            click.echo(f"{'':21}{', '.join(each.names)}")
        if each.fault:
            click.echo(f"{'':21}fault: {each.fault}")
    return not any(each.fault for each in shown)
