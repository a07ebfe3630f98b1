"""How many deliveries go together in one attempt, and how long they wait for company. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ibs_notify.delivery.model import Work
from ibs_notify.domain.target import Target

MOST_TOGETHER: Final = 500
LONGEST_WAIT: Final = timedelta(seconds=1)


def most_together(target: Target) -> int:
    """How many deliveries an attempt takes: many of a metric server, else one."""
    return MOST_TOGETHER if target.is_metric_server else 1


def wait_for_company(works: Sequence[Work], most: int, now: datetime) -> timedelta:
    """How long ``works`` may wait for others: until the oldest was here for ``LONGEST_WAIT``.

    Not at all, where there are ``most`` of them, one that goes without any company, or one that
    shows whether the target works again: no more are claimed meanwhile.
    """
    if not works or len(works) >= most or any(w.is_suspect or w.is_trial for w in works):
        return timedelta()
    oldest = min(work.created_at for work in works)
    return max(timedelta(), min(LONGEST_WAIT, oldest + LONGEST_WAIT - now))
