"""Keys."""

from __future__ import annotations

from ibs_notify.console.commands.line import line


def rotate(*, keep_newest: bool = False) -> str:
    """``keys rotate``"""
    return line("keys", "rotate", flags=[("keep-newest", keep_newest)])


def remove(key_id: str) -> str:
    """``keys remove …``"""
    return line("keys", "remove", key_id)
