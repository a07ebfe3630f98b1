"""Digests as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from ibs_notify.cli.output import Table, moment, print_table, word
from ibs_notify.cli.session import Session
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1 import delivery_pb2, group_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

_SHORT_ID = 12
_SOON_KNOWN = "known in a moment"
"""Of a window that was opened just now."""


def show_digests(windows: Sequence[pb.DigestWindow], *, empty: str) -> None:
    """A row for each; of a delivery's id what ``delivery show`` needs."""
    columns = ("Id", "Group", "Target", "What", "State", "Events", "Opened", "Closes", "Delivery")
    rows = [
        (
            each.digest_id,
            each.group,
            _target(each),
            _what(each),
            _state(each),
            f"{each.event_count:,}" if each.kind == delivery_pb2.DELIVERY_KIND_DIGEST else "",
            moment(each.open_time),
            moment(each.close_time) or _SOON_KNOWN,
            each.delivery_id[:_SHORT_ID] or _nothing(each),
        )
        for each in windows
    ]
    print_table(Table(columns, rows, empty=empty))


def next_digest(session: Session, group: group_pb2.Group) -> str:
    """When the digest of a group is sent next, and what it holds by now; empty where it has none.

    Where Delivery does not answer, that is said instead.
    """
    if not group.HasField("digest"):
        return ""
    request = pb.ListDigestsRequest(group=group.name, open_only=True, page_size=1000)
    try:
        found = session.call(session.delivery.ListDigests, request).digests
    except NotificationError as error:
        return f"not known: {error.message}"
    digests = [each for each in found if each.kind == delivery_pb2.DELIVERY_KIND_DIGEST]
    gathering = [each for each in digests if each.event_count]
    if not gathering:
        return "nothing is gathered yet"
    times = [moment(each.close_time) for each in gathering if each.HasField("close_time")]
    closes = min(times, default=_SOON_KNOWN)
    return f"{closes}, with {sum(each.event_count for each in gathering):,} gathered"


def membership(digest: delivery_pb2.DigestMembership) -> str:
    """``in dig-7, which is delivered``; ``for dig-7, which closes at …``."""
    if digest.delivery_id:
        state = word(delivery_pb2.DeliveryState, digest.state, "DELIVERY_STATE_")
        reason = f" ({digest.reason})" if digest.reason else ""
        return f"in {digest.digest_id}, which is {state}{reason}"
    if digest.HasField("close_time"):
        return f"for {digest.digest_id}, which closes at {moment(digest.close_time)}"
    return f"for {digest.digest_id}"


def _target(window: pb.DigestWindow) -> str:
    if not window.recipients:
        return window.target
    return f"{window.target}: {', '.join(window.recipients)}"


def _what(window: pb.DigestWindow) -> str:
    if window.kind == delivery_pb2.DELIVERY_KIND_SUMMARY:
        return "weekly summary"
    return f"{window.period} digest".strip()


def _state(window: pb.DigestWindow) -> str:
    state = word(pb.DigestWindowState, window.state, "DIGEST_WINDOW_STATE_")
    return f"{state} ({window.reason})" if window.reason else state


def _nothing(window: pb.DigestWindow) -> str:
    is_closed = window.state == pb.DIGEST_WINDOW_STATE_CLOSED
    return "nothing to send" if is_closed else ""
