"""How much of a webhook's address is told: often it is the only secret that its peer knows."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from ironcore.notification.v1.target_pb2 import Target

_REST = "/…"
"""What stands for path and query. No address can hold it, so it is never saved as one."""


def fingerprint(url: str) -> str:
    """``https://chat.example.com/… (SHA-256 0123456789abcdef)``, to tell one from another."""
    told = up_to_host(url)
    if not told.endswith(_REST):
        return told
    return f"{told} (SHA-256 {hashlib.sha256(url.encode()).hexdigest()[:16]})"


def up_to_host(url: str) -> str:
    """``https://chat.example.com/…``; as it is where there is no path."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return url if url in ("", origin, f"{origin}/") else f"{origin}{_REST}"


def without_path(target: Target) -> Target:
    """The target as it is shown to who may not use its address; ``target`` itself stays."""
    if target.WhichOneof("kind") != "webhook":
        return target
    shown = Target()
    shown.CopyFrom(target)
    shown.webhook.url = up_to_host(target.webhook.url)
    return shown
