"""Reasons in words."""

from __future__ import annotations

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import QueueReason
from ibs_notify.delivery.transports.base import OutcomeReason
from ibs_notify.domain.reason_words import WORDS, reason


def test_every_reason_of_a_delivery_has_words_and_no_other_has() -> None:
    named = {each.value for kind in (OutcomeReason, QueueReason, Admission) for each in kind}
    assert set(WORDS) == named - {Admission.SENDABLE.value}


def test_a_reason_of_a_newer_release_is_read_as_its_name() -> None:
    assert reason("MOON_FULL") == "moon full"
