"""What an answer of InfluxDB's write API means for the points that were sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.webhook_verdict import verdict_on as http_verdict_on

_NEW_TOKEN: Final = "renew it with target update --token-file"
_ADVICE: Final[Mapping[int, str]] = {
    401: f"the server does not know this token: {_NEW_TOKEN}",
    403: f"the token may not write to this bucket: {_NEW_TOKEN}",
    404: "check the target's --url, --org and --bucket",
}


class Part(StrEnum):
    """What of a target is tested apart, in this order."""

    URL = "url"
    TOKEN = "token"
    ORG = "org"
    BUCKET = "bucket"
    SEND = "send"


def verdict_on(status: int, retry_after: str, body: str, now: datetime) -> Outcome:
    """The Outcome of an answer with ``status`` and ``body``; see ``webhook_verdict``."""
    said = words_of(body)
    if status == 400 and "auth token" in said:
        # vmauth, in front of VictoriaMetrics, says so of a token that it does not know.
        status = 401
    outcome = http_verdict_on(status, retry_after, said, now, _ADVICE)
    if status == 500 and "partial write" in said:
        # The first releases say so, and not 422, where a field has another type than before.
        return replace(outcome, verdict=Verdict.REFUSED, reason=OutcomeReason.HTTP_4XX)
    return outcome


def is_content(outcome: Outcome) -> bool:
    """Whether a batch was refused for a point in it, or for being too large."""
    return outcome.verdict is Verdict.REFUSED and outcome.code in (400, 413, 422, 500)


def failed_part(outcome: Outcome) -> Part | None:
    """Which part of a target a test failed at that ended so, if it did."""
    if outcome.verdict is Verdict.DELIVERED:
        return None
    said = outcome.reply
    match outcome.code:
        case 401 | 403:
            return Part.TOKEN
        case 404 if said.startswith("organization"):
            return Part.ORG
        case 404 if said.startswith(("bucket", "database not found")):
            return Part.BUCKET
        case 0 | 404 | 405:
            return Part.URL
        case code if 300 <= code < 400:
            return Part.URL
        case _:
            return Part.SEND


def words_of(body: str) -> str:
    """What the server said: the message of its JSON, else the body as it is.

    Releases 1.8 that have this API say ``error`` instead of ``message``.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(answer, dict):
        return body
    message = answer.get("message", answer.get("error"))
    return message if isinstance(message, str) else body
