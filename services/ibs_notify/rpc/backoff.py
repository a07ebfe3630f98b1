"""How long a caller waits before it tries again."""

from __future__ import annotations

from ibs_notify.domain.errors import NotificationError, Reason, ResourceExhausted, Unavailable

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0


def pause(failures: int, error: NotificationError, jitter: float) -> float:
    """Seconds until the next try: exponential with full jitter, after the server's own wish.

    ``failures`` counts from 1; ``jitter`` is uniform in [0, 1). What the server asks for in its
    RetryInfo is the least; the jitter on top keeps many callers from coming back together.
    """
    ceiling: float = min(FIRST_SECONDS * 2 ** min(failures - 1, 16), LONGEST_SECONDS)
    return _asked_for(error) + ceiling * jitter


def _asked_for(error: NotificationError) -> float:
    # Where nobody was reached, nobody asked for anything.
    if (
        isinstance(error, Unavailable | ResourceExhausted)
        and error.reason is not Reason.SERVICE_UNREACHABLE
    ):
        return error.retry_after.total_seconds()
    return 0.0
