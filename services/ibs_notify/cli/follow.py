"""``emit --wait``: follows an event until nothing of it is under way."""

from __future__ import annotations

import time
from datetime import timedelta

import click

from ibs_notify.cli.delivery_view import deliveries_of, outcome
from ibs_notify.cli.output import warn
from ibs_notify.cli.session import Session
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.harmless import harmless
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
# A newer configuration is on its way: this ends by itself, other waits end when somebody acts.
_SHORT_WAIT = "CONFIG_BEHIND"


def follow(session: Session, event_id: str, timeout: timedelta, clock: Clock) -> bool:
    """Wait until every delivery of the event is settled, print each; whether all went well.

    One that waits for somebody to act (its target is disabled, it has no recipient) is settled
    too, but not well.
    """
    end = clock.monotonic() + timeout.total_seconds()
    while True:
        record = session.call(session.router.GetEvent, pb.GetEventRequest(event_id=event_id)).event
        found = deliveries_of(session, event_id)
        settled = _all_handed_off(record, found) and all(
            each.state in _SETTLED or _waits(each) for each in found.values()
        )
        if settled or clock.monotonic() >= end:
            break
        time.sleep(_PAUSE_SECONDS)
    for each in found.values():
        click.echo(harmless(f"  {each.target} via {each.group}: {outcome(each)}"))
    if not settled:
        warn(f"not everything is settled after {timeout.total_seconds():.0f} s")
    return settled and not any(_ended_badly(each) for each in found.values())


def _waits(each: delivery_pb2.Delivery) -> bool:
    return each.state == delivery_pb2.DELIVERY_STATE_WAITING and each.reason != _SHORT_WAIT


def _ended_badly(each: delivery_pb2.Delivery) -> bool:
    return _waits(each) or each.state in (
        delivery_pb2.DELIVERY_STATE_DEAD,
        delivery_pb2.DELIVERY_STATE_CANCELLED,
    )


def _all_handed_off(record: pb.EventRecord, found: dict[str, delivery_pb2.Delivery]) -> bool:
    return all(
        each.delivery_id in found
        if each.state == disposition_pb2.DISPOSITION_STATE_HANDED_OFF
        else each.state != disposition_pb2.DISPOSITION_STATE_READY
        for each in record.dispositions
    )
