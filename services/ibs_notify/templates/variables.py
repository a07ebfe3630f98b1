"""The names that a template may use: its contract."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ibs_notify.templates.report_shapes import REPORTS
from ibs_notify.templates.shapes import EVENT, NUMBER, PRESET, SENT, Kind, Shape

VARIABLES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "event": EVENT,
        "suppressed": NUMBER,
        "rows": Shape(Kind.LIST, items=EVENT),
        "more": NUMBER,
        "preset": PRESET,
        "sent": SENT,
        **REPORTS,
    }
)
"""Everything a template may name; ``context.event_context`` gives exactly these."""
