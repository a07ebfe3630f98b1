"""Times as people say them in addresses: "today", "2 h ago". Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.time_zone import zone_of

_DAYS = {"today": 0, "yesterday": 1}
_AGO = re.compile(r"([0-9]{1,6}) ?([a-z]+)(?: ago)?")
_UNITS: Mapping[str, timedelta] = {
    **dict.fromkeys(("s", "sec", "second"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day"), timedelta(days=1)),
    **dict.fromkeys(("w", "week"), timedelta(weeks=1)),
}


def spoken(text: str, now: datetime, zone: str) -> datetime | None:
    """``now``, the beginning of ``today`` or ``yesterday`` in ``zone``, or so long before ``now``
    as ``2 h ago`` or ``7d`` says; None for anything else.
    """
    plain = " ".join(text.lower().split())
    if plain == "now":
        return now
    if plain in _DAYS:
        midnight = in_zone(now, zone_of(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS[plain])
    said = _AGO.fullmatch(plain)
    if said is None:
        return None
    unit = _UNITS.get(said[2]) or _UNITS.get(said[2].removesuffix("s"))
    if unit is None:
        return None
    try:
        return now - int(said[1]) * unit
    except OverflowError:
        return None
