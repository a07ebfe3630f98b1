"""Files that flags name, read here and never by a service. ``-`` is standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

MOST_BYTES = 1024 * 1024


def read_text(path: str, flag: str) -> str:
    """The text of a file; a usage error names the flag and the fault."""
    try:
        if path == "-":
            data = _standard_input(flag)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{flag}: cannot read {path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise click.UsageError(f"{flag}: {path} is over {MOST_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{flag}: {path} is not UTF-8 text") from None


def read_secret(path: str, flag: str) -> str:
    """The secret in a file, without the line break that editors add; an empty one is an error."""
    secret = read_text(path, flag).rstrip("\r\n")
    if not secret:
        raise click.UsageError(f"{flag}: {path} is empty")
    return secret


def _standard_input(flag: str) -> bytes:
    ctx = click.get_current_context().find_root()
    taken = ctx.meta.setdefault("ibs_notify.cli.stdin", flag)
    if taken != flag:
        raise click.UsageError(f"{taken} and {flag} cannot both read standard input")
    return sys.stdin.buffer.read(MOST_BYTES + 1)
