from __future__ import annotations

import pytest

from ibs_notify.delivery.transports.base import RecipientOutcome, Verdict, overall

D, R, X = Verdict.DELIVERED, Verdict.RETRY, Verdict.REFUSED


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [((D,), D), ((D, D), D), ((D, R), R), ((X, R), R), ((D, X, R), R), ((D, X), X), ((X, X), X)],
)
def test_a_mail_is_open_while_anyone_is_and_refused_if_anyone_was(
    verdicts: tuple[Verdict, ...], whole: Verdict
) -> None:
    recipients = [RecipientOutcome(f"r{n}", each, 0, "") for n, each in enumerate(verdicts)]
    assert overall(recipients) is whole
