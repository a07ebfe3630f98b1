"""Events read and printed: a list of them, and one with how far its notifications are."""

from __future__ import annotations

from ibs_notify.cli.delivery_view import deliveries_of
from ibs_notify.cli.event_view import show_event, show_events
from ibs_notify.cli.output import document, print_document, warn
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def print_events(
    session: Session,
    chosen: pb.EventFilter,
    limit: int,
    output: str,
    *,
    empty: str = "no events",
    marks: bool = False,
) -> None:
    """The newest ``limit`` events that match, newest first; with ``marks`` the caller's."""
    request = pb.ListEventsRequest(filter=chosen)
    found: list[pb.EventRecord] = []
    while len(found) < limit:
        request.page_size = min(1000, limit - len(found))
        answer = session.call(session.router.ListEvents, request)
        found += answer.events
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    if output == "table":
        show_events(found, empty=empty, marks=marks)
    else:
        print_document([document(each) for each in found], output)


def print_event(session: Session, event_id: str, output: str) -> pb.EventRecord:
    """One event; a warning where Delivery cannot say how far its notifications are."""
    request = pb.GetEventRequest(event_id=event_id)
    found = session.call(session.router.GetEvent, request).event
    deliveries: dict[str, delivery_pb2.Delivery] | None = {}
    problem = ""
    if any(
        each.state == disposition_pb2.DISPOSITION_STATE_HANDED_OFF for each in found.dispositions
    ):
        try:
            deliveries = deliveries_of(session, event_id)
        except NotificationError as error:
            deliveries = None
            problem = error.message
    if output == "table":
        show_event(found, deliveries)
    else:
        whole = document(found)
        whole["deliveries"] = (
            None if deliveries is None else [document(each) for each in deliveries.values()]
        )
        print_document(whole, output)
    if problem:
        warn(f"how far the notifications are is not known: {problem}")
    return found
