"""Filters of events, as the command line and the console have them: the same words and bounds."""

from __future__ import annotations

from collections.abc import Mapping

from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

DISPOSITIONS: Mapping[str, disposition_pb2.DispositionState.ValueType] = {
    name.removeprefix("DISPOSITION_STATE_").lower().replace("_", "-"): number
    for name, number in disposition_pb2.DispositionState.items()
    if number
}
"""By their words in flags and addresses: ``handed-off``."""
COSTLY = ("text", "rule", "groups", "dispositions")
"""What only a look at each event tells: such events are listed, and not counted."""


def countable(chosen: pb.EventFilter) -> pb.EventFilter:
    """The part of a filter that CountEvents takes: as many events, or more."""
    part = pb.EventFilter()
    part.CopyFrom(chosen)
    for name in COSTLY:
        part.ClearField(name)  # type: ignore[arg-type]  # one of the four literals
    return part
