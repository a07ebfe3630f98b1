"""How many deliveries go together, and how long they wait for company."""

from __future__ import annotations

from datetime import timedelta

from tests.support.delivery import START, work

from ibs_notify.delivery.model import MAX_UNFINISHED
from ibs_notify.delivery.sending.batching import LONGEST_WAIT, most_together, wait_for_company
from ibs_notify.domain.target import InfluxDbSpec, Target, WebhookSpec


def test_only_what_goes_to_metric_servers_goes_together() -> None:
    assert most_together(Target("chat", "t1", WebhookSpec("http://127.0.0.1/"))) == 1
    assert most_together(Target("m", "t2", InfluxDbSpec("http://127.0.0.1/", "o", "b"))) == 500


def test_company_is_waited_for_until_the_oldest_was_here_long_enough() -> None:
    waited = timedelta(milliseconds=300)
    works = [work(now=START + waited), work(now=START)]
    assert wait_for_company(works, 500, START + waited) == LONGEST_WAIT - waited
    assert wait_for_company(works, 500, START + LONGEST_WAIT) == timedelta()


def test_enough_of_them_go_at_once() -> None:
    assert wait_for_company([work()] * 3, 3, START) == timedelta()
    assert wait_for_company([], 3, START) == timedelta()


def test_what_two_workers_died_with_goes_at_once_and_alone() -> None:
    assert wait_for_company([work(unfinished=MAX_UNFINISHED)], 500, START) == timedelta()


def test_a_clock_that_went_back_makes_nobody_wait_longer() -> None:
    future = work(now=START + timedelta(days=1))
    assert wait_for_company([future], 500, START) == LONGEST_WAIT


def test_a_trial_of_a_target_that_failed_waits_for_nobody() -> None:
    assert wait_for_company([work(is_trial=True)], 500, START) == timedelta()
