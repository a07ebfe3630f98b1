"""When to try again. A value: its test is arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_CEILING = timedelta(seconds=5)
LAST_CEILING = timedelta(hours=1)
LONGEST_WISH = timedelta(hours=24)
"""What a peer may ask for at most with Retry-After."""
FARTHEST = 2 * LONGEST_WISH
"""Nothing is put off for so long, whichever replica's clock is meant: what seems to be was put off
by a clock that was ahead, and is due."""
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """``due_at`` is the next attempt; ``None``: give up, the life of the delivery is over."""

    due_at: datetime | None


def next_attempt(
    *,
    failures: int,
    now: datetime,
    expires_at: datetime,
    retry_after: timedelta | None,
    jitter: float,
    longest: timedelta = LAST_CEILING,
) -> RetryDecision:
    """Exponential with full jitter: uniform between now and a ceiling that doubles each time, up to

    ``longest``.

    ``failures`` counts the attempt that just failed, from 1; ``jitter`` is uniform in [0, 1). The
    peer's ``retry_after`` is a minimum, up to ``LONGEST_WISH``. What would fall behind
    ``expires_at`` is given up. Full jitter keeps many deliveries of one outage from coming back
    together (aws.amazon.com/builders-library, "Timeouts, retries, and backoff with jitter").
    """
    delay = min(ceiling(failures), longest) * jitter
    if retry_after is not None:
        delay = max(delay, min(retry_after, LONGEST_WISH))
    due_at = now + delay
    return RetryDecision(due_at if due_at < expires_at else None)


def ceiling(failures: int) -> timedelta:
    """The longest wait after so many failures."""
    doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
    return min(FIRST_CEILING * (1 << doublings), LAST_CEILING)
