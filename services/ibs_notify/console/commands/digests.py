"""Digests."""

from __future__ import annotations

from ibs_notify.console.commands.line import line


def list_digests(group: str, *, open_only: bool = False) -> str:
    """``digest list``"""
    return line("digest", "list", flags=[("group", group or None), ("open", open_only)])


def preview(digest_id: str, *, html: bool = False) -> str:
    """``digest preview ID``"""
    return line("digest", "preview", digest_id, flags=[("html", html)])


def flush(digest_id: str) -> str:
    """``digest flush ID``"""
    return line("digest", "flush", digest_id)
