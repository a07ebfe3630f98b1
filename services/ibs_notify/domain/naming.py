"""What names of targets and groups look like."""

from __future__ import annotations

import re

NAME_SYNTAX = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
NAME_RULE = (
    "1 to 63 lower-case letters, digits, '.', '_' or '-', "
    "beginning and ending with a letter or digit"
)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a target or a group."""
    return NAME_SYNTAX.fullmatch(text) is not None
