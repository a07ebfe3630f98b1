"""``emit --wait``: follows an event until nothing of it is under way."""

from __future__ import annotations

import time
from datetime import timedelta

import click

from ibs_notify.cli.delivery_view import deliveries_of, outcome
from ibs_notify.cli.harmless import harmless
from ibs_notify.cli.output import warn
from ibs_notify.cli.session import Session
from ibs_notify.domain.clock import Clock
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_PAUSE_SECONDS = 0.25
# An entry of a digest is done as far as anybody would wait for it.
_SETTLED = (
    delivery_pb2.DELIVERY_STATE_DELIVERED,
    delivery_pb2.DELIVERY_STATE_DIGEST_OPEN,
    delivery_pb2.DELIVERY_STATE_DIGESTED,
    delivery_pb2.DELIVERY_STATE_DEAD,
    delivery_pb2.DELIVERY_STATE_CANCELLED,
)


def follow(session: Session, event_id: str, timeout: timedelta, clock: Clock) -> bool:
    """Wait until every delivery of the event is settled, print each; whether all went well."""
    end = clock.monotonic() + timeout.total_seconds()
    while True:
        record = session.call(session.router.GetEvent, pb.GetEventRequest(event_id=event_id)).event
        found = deliveries_of(session, event_id)
        settled = _all_handed_off(record, found) and all(
            each.state in _SETTLED for each in found.values()
        )
        if settled or clock.monotonic() >= end:
            break
        time.sleep(_PAUSE_SECONDS)
    for each in found.values():
        click.echo(harmless(f"  {each.target} via {each.group}: {outcome(each)}"))
    if not settled:
        warn(f"not everything is settled after {timeout.total_seconds():.0f} s")
    dead = any(
        each.state in (delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_CANCELLED)
        for each in found.values()
    )
    return settled and not dead


def _all_handed_off(record: pb.EventRecord, found: dict[str, delivery_pb2.Delivery]) -> bool:
    return all(
        each.delivery_id in found
        if each.state == disposition_pb2.DISPOSITION_STATE_HANDED_OFF
        else each.state != disposition_pb2.DISPOSITION_STATE_READY
        for each in record.dispositions
    )
