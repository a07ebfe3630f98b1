"""The spans of a chart, checked: of events and of deliveries alike."""

from __future__ import annotations

from enum import Enum

from google.protobuf.duration_pb2 import Duration

from ibs_notify.domain.errors import FieldViolation, InvalidArgument

MOST_SPANS = 1000


class Unit(Enum):
    """What a step is a whole number of, in microseconds."""

    MINUTE = 60_000_000
    HOUR = 3_600_000_000


def step_of(given: Duration | None, length: int, unit: Unit) -> int:
    """How long a span is, an hour by default, of a chart that is ``length`` long.

    All in microseconds. ``InvalidArgument`` names the field ``step``.
    """
    step = Unit.HOUR.value if given is None else given.ToMicroseconds()
    fault = ""
    if step <= 0 or step % unit.value:
        fault = f"is not a number of whole {unit.name.lower()}s"
    elif length > MOST_SPANS * step:
        fault = f"makes more than {MOST_SPANS} spans between after and before"
    if fault:
        raise InvalidArgument.of([FieldViolation("step", fault)])
    return step
