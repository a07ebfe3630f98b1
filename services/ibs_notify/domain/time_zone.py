"""Names of time zones."""

from __future__ import annotations

import difflib
import zoneinfo


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
