"""File descriptors: how many a process may have, and how many of them go to connections."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

MOST_CONNECTIONS: Final = 5000
"""To one listener."""


def raise_limit() -> None:
    """To what the process may have without asking anybody: the soft limit is often only 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """To one listener. A service may have two, and the rest is for its database and its targets."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, soft // 3))
