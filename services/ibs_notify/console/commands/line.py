"""A command as a shell takes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

PROGRAM = ("ironcore-backup", "notification")

Flag = tuple[str, str | bool | Iterable[str] | None]


def line(*words: str, flags: Iterable[Flag] = ()) -> str:
    r"""``ironcore-backup notification WORDS FLAGS``, a flag to a line where there are several.

    A flag is a name and its value. True is the flag alone; None or False leave it out; several
    values repeat it. An empty text is a value: it goes back to the default.
    """
    head = " ".join((*PROGRAM, *(shlex.quote(each) for each in words)))
    parts = [part for flag in flags for part in _parts(flag)]
    if len(parts) < 2:
        return " ".join((head, *parts))
    return " \\\n  ".join((head, *parts))


def _parts(flag: Flag) -> list[str]:
    name, value = flag
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    values = [value] if isinstance(value, str) else value
    return [f"--{name} {shlex.quote(each)}" for each in values]
