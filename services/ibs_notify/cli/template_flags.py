"""The flags for templates, of targets and of groups alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ibs_notify.cli.files import read_text
from ibs_notify.cli.options import Command

PARTS = ("subject", "text", "html", "body")
_WHOSE = {"body": "webhook"}
_OPENERS = ("{{", "{%")


def template_flags(command: Command) -> Command:
    """Adds ``--PART-template`` and ``--PART-template-digest`` for each part of a message."""
    for suffix, when in (("-digest", "digests and summaries"), ("", "events")):
        for part in reversed(PARTS):
            command = click.option(
                f"--{part}-template{suffix}",
                metavar="FILE|TEXT",
                help=f"{_WHOSE.get(part, 'smtp')}: the template of the {part} of {when}.",
            )(command)
    return command


def read_templates(flags: Mapping[str, Any]) -> dict[str, str]:
    """The templates that were given, files read, by flag: ``text-template-digest``."""
    given: dict[str, str] = {}
    for suffix in ("", "-digest"):
        for part in PARTS:
            flag = f"{part}-template{suffix}"
            value = flags[flag.replace("-", "_")]
            if value is not None:
                given[flag] = _read(value, f"--{flag}")
    return given


def _read(value: str, flag: str) -> str:
    """A template itself where it holds an expression, else the file of that name."""
    if not value or any(opener in value for opener in _OPENERS):
        return value
    return read_text(value, flag)
