"""What a failed batch means, and how long to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ibs_notify.client.retry import MOST_TRIES_ALONE, Next, after_failure
from ibs_notify.domain import errors
from ibs_notify.domain.errors import Reason
from ibs_notify.rpc.backoff import pause

AWAY = errors.Unavailable(Reason.SERVICE_UNREACHABLE, "away")
BUSY = errors.ResourceExhausted(Reason.STORAGE_FULL, "full", retry_after=timedelta(seconds=30))
STRANGER = errors.PermissionDenied(Reason.PERMISSION_DENIED, "no")
FAULT = errors.Internal(Reason.INTERNAL, "a fault")
BROKEN = errors.InvalidArgument(Reason.FIELD_INVALID, "too large")


@pytest.mark.parametrize(
    ("error", "size", "suspected", "others_pass", "expected"),
    [
        (AWAY, 1000, 0, True, Next.REPEAT),
        (AWAY, 1, 99, True, Next.REPEAT),
        (STRANGER, 10, 0, True, Next.REPEAT),
        (STRANGER, 1, 99, True, Next.REPEAT),
        (BUSY, 10, 0, True, Next.SMALLER),
        (BUSY, 1, 99, True, Next.REPEAT),
        (FAULT, 10, 0, True, Next.SMALLER),
        (FAULT, 1, MOST_TRIES_ALONE - 1, True, Next.SUSPECT),
        (FAULT, 1, MOST_TRIES_ALONE, True, Next.REFUSED),
        (FAULT, 1, MOST_TRIES_ALONE, False, Next.SUSPECT),
        (BROKEN, 10, 0, True, Next.SMALLER),
        (BROKEN, 1, 0, True, Next.SUSPECT),
        (BROKEN, 1, MOST_TRIES_ALONE, True, Next.REFUSED),
    ],
)
def test_a_failure_says_what_to_do_next(
    error: errors.NotificationError,
    size: int,
    suspected: int,
    others_pass: bool,
    expected: Next,
) -> None:
    found = after_failure(error, size=size, suspected=suspected, others_pass=others_pass)
    assert found is expected


def test_pauses_double_up_to_five_seconds() -> None:
    assert [pause(failures, AWAY, 1.0) for failures in (1, 2, 3, 6, 7, 10_000)] == [
        0.1,
        0.2,
        0.4,
        3.2,
        5.0,
        5.0,
    ]


def test_a_pause_is_any_part_of_that() -> None:
    assert pause(7, AWAY, 0.0) == 0.0
    assert pause(7, AWAY, 0.5) == 2.5


def test_what_the_router_asked_for_is_the_least() -> None:
    assert pause(1, BUSY, 0.0) == 30.0
    assert pause(1, BUSY, 0.5) == 30.05
