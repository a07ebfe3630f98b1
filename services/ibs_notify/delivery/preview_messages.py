"""Previews on the wire."""

from __future__ import annotations

from datetime import datetime

from ibs_notify.delivery.draft import Draft
from ibs_notify.delivery.preview import DELIVERY_ID, Asked, Preview
from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.event import Event
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.rpc.convert_config import templates_from_proto
from ibs_notify.rpc.event_links import complete_links
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1 import event_pb2

MAX_GATHERED = 1000


def asked_from_proto(request: pb.PreviewMessageRequest, public_url: str, now: datetime) -> Asked:
    """What a preview is to show; its events are completed as the Router does it."""
    if len(request.gathered) > MAX_GATHERED:
        raise InvalidArgument.of([FieldViolation("gathered", f"has more than {MAX_GATHERED}")])
    given = {f"gathered[{place}]": each for place, each in enumerate(request.gathered)}
    violations: list[FieldViolation] = []
    events: list[Event] = []
    for path, message in (given or {"event": request.event}).items():
        event, faults = _completed(message, public_url.rstrip("/"), now)
        events.append(event)
        violations += [FieldViolation(f"{path}.{each.path}", each.description) for each in faults]
    if violations:
        raise InvalidArgument.of(violations, Reason.EVENT_INVALID)
    return Asked(
        target=request.target,
        group=request.group,
        event=events[0],
        recipients=tuple(request.recipients),
        gathers=request.digest,
        gathered=tuple(events) if given else (),
        draft=Draft(templates_from_proto(request.draft), replaces=request.draft_replaces),
    )


def preview_to_proto(preview: Preview) -> pb.PreviewMessageResponse:
    """All that would be sent."""
    return pb.PreviewMessageResponse(
        method=preview.method,
        url=preview.url,
        headers=[pb.PreviewHeader(name=name, value=value) for name, value in preview.headers],
        subject=preview.subject,
        text=preview.text,
        html=preview.html,
        content=preview.content,
    )


def _completed(
    given: event_pb2.Event, public_url: str, now: datetime
) -> tuple[Event, list[FieldViolation]]:
    message = event_pb2.Event()
    message.CopyFrom(given)
    message.event_id = message.event_id or DELIVERY_ID
    complete_links(message, public_url)
    event, faults = event_from_proto(message, now)
    return event, [*faults, *faults_of(event)]
