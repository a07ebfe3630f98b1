"""Rules for events like one that there is, as a silence or a digest begins with. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ibs_notify.console.wording.rule_text import quoted
from ibs_notify.domain.resource import canonical, datastore_of
from ironcore.notification.v1.event_pb2 import Event


class Breadth(StrEnum):
    """How much is like an event: all of its type, or of that only what is about the same."""

    RESOURCE = "resource"
    DATASTORE = "datastore"
    TYPE = "type"


def breadths(event: Event) -> tuple[Breadth, ...]:
    """Those that differ for ``event``, the narrowest first."""
    resource = canonical(event.resource)
    if not resource.startswith("/"):
        return (Breadth.TYPE,)  # a rule is warned of what is no path
    datastore = datastore_of(resource)
    if not datastore:
        return (Breadth.RESOURCE, Breadth.TYPE)
    if resource == f"/datastore/{datastore}":
        return (Breadth.DATASTORE, Breadth.TYPE)
    return tuple(Breadth)


def alike(event: Event, breadth: Breadth) -> str:
    """``type = backup.warning and resource under /datastore/tank``."""
    return " and ".join(filter(None, (f"type = {quoted(event.type)}", _where(event, breadth))))


def _where(event: Event, breadth: Breadth) -> str:
    match breadth:
        case Breadth.RESOURCE:
            return f"resource = {quoted(event.resource)}" if event.resource else ""
        case Breadth.DATASTORE:
            datastore = datastore_of(canonical(event.resource))
            return f"resource under {quoted(f'/datastore/{datastore}')}"
        case Breadth.TYPE:
            return ""
        case _:
            assert_never(breadth)
