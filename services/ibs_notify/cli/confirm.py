"""Asking before much is changed."""

from __future__ import annotations

import sys

import click


def at_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def confirm(things: str, done: str) -> None:
    """Ask whether ``things``, such as ``12 events``, are to be ``done``; a no ends the command."""
    if not at_terminal():
        raise click.UsageError(f"{things} would be {done}: confirm it with --yes")
    if not click.confirm(f"{things} will be {done}. Go on?", err=True):
        raise click.Abort
