"""Time zones by their names."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, tzinfo
from functools import lru_cache


def zone_problem(zone: str) -> str:
    """Of an IANA time zone; empty is the default and right."""
    if not zone:
        return ""
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(zone, zoneinfo.available_timezones(), n=1)
        meant = f"did you mean {near[0]}?" if near else "such as Europe/Berlin"
        return f"is no IANA time zone ({meant})"
    return ""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The IANA time zone; UTC where there is no name, or this machine does not know it: another
    hour is better than no message."""
    try:
        return zoneinfo.ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC
