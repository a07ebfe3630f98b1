"""What InfluxDB's answers mean, and what a test says of them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.transports import NOW

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.influxdb_verdict import (
    Part,
    failed_part,
    is_content,
    verdict_on,
)


def said(status: int, message: str, code: str = "invalid", wish: str = "") -> Outcome:
    return verdict_on(status, wish, json.dumps({"code": code, "message": message}), NOW)


@pytest.mark.parametrize(
    ("status", "message", "verdict", "content"),
    [
        (400, "unable to parse 'broken line here': invalid field format", Verdict.REFUSED, True),
        (422, "failure writing points: partial write: field type conflict", Verdict.REFUSED, True),
        (500, "partial write: field type conflict: input field", Verdict.REFUSED, True),
        (413, "request too large", Verdict.REFUSED, True),
        (500, "internal error", Verdict.RETRY, False),
        (503, "overloaded", Verdict.RETRY, False),
        (401, "unauthorized access", Verdict.REFUSED, False),
        (404, 'bucket "x" not found', Verdict.REFUSED, False),
    ],
)
def test_only_what_is_about_a_point_splits_a_batch(
    status: int, message: str, verdict: Verdict, content: bool
) -> None:
    outcome = said(status, message)
    assert (outcome.verdict, is_content(outcome)) == (verdict, content)
    assert outcome.reply.startswith(message)


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_may_say_when_to_come_back(status: int) -> None:
    assert said(status, "slow down", wish="17").retry_after == timedelta(seconds=17)


@pytest.mark.parametrize(
    ("status", "message", "part", "advice"),
    [
        (401, "unauthorized access", Part.TOKEN, "--token-file"),
        (403, "insufficient permissions for write", Part.TOKEN, "--token-file"),
        (
            400,
            'cannot find the provided auth token "Token x" in config',
            Part.TOKEN,
            "--token-file",
        ),
        (404, 'organization name "x" not found', Part.ORG, "--org"),
        (404, 'bucket "x" not found', Part.BUCKET, "--bucket"),
        (404, "404 page not found", Part.URL, "--url"),
    ],
)
def test_url_token_org_and_bucket_are_told_apart_with_advice(
    status: int, message: str, part: Part, advice: str
) -> None:
    outcome = said(status, message, "not found")
    assert failed_part(outcome) is part
    assert advice in outcome.reply


def test_no_answer_and_a_redirect_are_faults_of_the_url() -> None:
    away = Outcome(Verdict.RETRY, OutcomeReason.CONNECT_FAILED)
    assert failed_part(away) is Part.URL
    assert failed_part(verdict_on(302, "", "", NOW)) is Part.URL


@pytest.mark.parametrize("body", ["", "plain words", "[1]", '{"message": 3}', "{"])
def test_any_body_is_taken_as_it_is(body: str) -> None:
    assert verdict_on(400, "", body, NOW).reply == body


def test_an_answer_nested_without_end_is_a_refusal_like_any_other() -> None:
    outcome = verdict_on(400, "", "[" * 65_536, NOW)
    assert (outcome.verdict, is_content(outcome)) == (Verdict.REFUSED, True)
