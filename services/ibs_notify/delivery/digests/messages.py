"""Between the API's messages about digests and Delivery's values."""

from __future__ import annotations

from ibs_notify.delivery.digests.desk import Counted
from ibs_notify.delivery.digests.windows import WindowState
from ibs_notify.delivery.messages import kind_to_proto
from ibs_notify.delivery.preview import Preview
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_service_pb2 as pb

_STATES = {
    WindowState.OPEN: pb.DIGEST_WINDOW_STATE_OPEN,
    WindowState.CLOSING: pb.DIGEST_WINDOW_STATE_CLOSING,
    # For people it is closed: only marks are left to be made.
    WindowState.CUT: pb.DIGEST_WINDOW_STATE_CLOSED,
    WindowState.CLOSED: pb.DIGEST_WINDOW_STATE_CLOSED,
}


def window_to_proto(counted: Counted) -> pb.DigestWindow:
    """A window, as it is listed."""
    window = counted.window
    return pb.DigestWindow(
        digest_id=window.digest_id,
        group=window.stream.group,
        target=window.target,
        target_uid=window.stream.target_uid,
        open_time=moment_to_proto(window.opened_at),
        close_time=moment_to_proto(window.closed_at or window.due_at),
        event_count=counted.event_count,
        delivery_id=window.delivery_id,
        kind=kind_to_proto(window.stream.kind),
        state=_STATES[window.state],
        recipients=window.stream.recipients,
        period=counted.period,
        reason=window.reason,
    )


def preview_to_proto(preview: Preview) -> pb.PreviewDigestResponse:
    """What a digest would say: subject, text and HTML of a mail, or the body of a webhook."""
    if preview.url:
        return pb.PreviewDigestResponse(body=preview.text)
    return pb.PreviewDigestResponse(subject=preview.subject, text=preview.text, html=preview.html)
