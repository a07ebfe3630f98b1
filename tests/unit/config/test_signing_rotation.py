"""A signing secret is replaced at once, or with an overlap for its receivers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.config import START, smtp_target, webhook_target

from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import TargetUpdate
from ibs_notify.config.signing_rotation import rotate
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.target import WEBHOOK_FORMER_SIGNING_SECRET, WEBHOOK_SIGNING_SECRET
from ironcore.notification.v1.target_pb2 import Target

DAY = Duration(seconds=86_400)
NEW = {WEBHOOK_SIGNING_SECRET: "whsec_new"}


def stored(*, until: datetime | None = None, is_signed: bool = True) -> Target:
    target = webhook_target()
    target.webhook.signing_secret_set = is_signed
    if until is not None:
        target.webhook.former_signing_secret_expire_time.FromDatetime(until)
    return target


def rotated(
    before: Target, update: TargetUpdate | None = None, overlap: Duration | None = None
) -> TargetUpdate:
    after = Target()
    after.CopyFrom(before)
    faults = Faults()
    result = rotate(before, update or TargetUpdate(after), overlap, START, faults)
    faults.raise_any()
    return result


def until_of(update: TargetUpdate) -> datetime:
    return update.target.webhook.former_signing_secret_expire_time.ToDatetime(UTC)


def test_with_an_overlap_the_former_secret_has_an_end() -> None:
    result = rotated(stored(), TargetUpdate(stored(), NEW), DAY)
    assert until_of(result) == START + timedelta(days=1)
    assert result.withdrawn == set()


def test_without_an_overlap_the_former_secret_ends_at_once() -> None:
    running = stored(until=START + timedelta(hours=1))
    result = rotated(running, TargetUpdate(running, NEW))
    assert result.withdrawn == {WEBHOOK_FORMER_SIGNING_SECRET}
    assert not result.target.webhook.HasField("former_signing_secret_expire_time")


def test_a_change_of_something_else_leaves_an_overlap_until_it_is_over() -> None:
    running = stored(until=START + timedelta(seconds=1))
    assert rotated(running).withdrawn == set()
    assert until_of(rotated(running)) == START + timedelta(seconds=1)
    over = stored(until=START)
    assert rotated(over).withdrawn == {WEBHOOK_FORMER_SIGNING_SECRET}


def test_who_signs_no_more_signs_with_no_former_secret_either() -> None:
    running = stored(until=START + timedelta(hours=1))
    update = TargetUpdate(running, withdrawn=frozenset({WEBHOOK_SIGNING_SECRET}))
    assert WEBHOOK_FORMER_SIGNING_SECRET in rotated(running, update).withdrawn


@pytest.mark.parametrize(
    ("before", "update", "overlap", "problem"),
    [
        (stored(), TargetUpdate(stored()), DAY, "without a new webhook.signing_secret"),
        (stored(is_signed=False), TargetUpdate(stored(), NEW), DAY, "no former signing secret"),
        (stored(), TargetUpdate(stored(), NEW), Duration(), "not between 1 second and 7 days"),
        (stored(), TargetUpdate(stored(), NEW), Duration(seconds=10**12), "not between"),
        (stored(), TargetUpdate(stored(), NEW), Duration(seconds=-5), "not between"),
        (smtp_target(), TargetUpdate(smtp_target()), DAY, "is no webhook"),
        (stored(), TargetUpdate(webhook_target(url="https://b"), NEW), DAY, "a change of the URL"),
    ],
)
def test_an_overlap_that_cannot_be_is_refused(
    before: Target, update: TargetUpdate, overlap: Duration, problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        rotated(before, update, overlap)
