"""What an answer means, where the status alone does not say it. Pure.

Facts about the peers: Slack and Mattermost answer ``ok`` to what they took. Teams answers 202 from
a workflow; its older connectors answer 200 with ``1``, and with a sentence that quotes the status
of the failure. PagerDuty answers 202 with ``status``, Twilio 201 with the message's ``status``.
Discord puts fractions of a second into the body of a 429.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.webhook_verdict import MOST_RETRY_AFTER, verdict_on
from ibs_notify.domain.preset import Preset

_TRANSIENT: Final = frozenset({"rate_limited", "rollup_error", "timeout", "internal_error"})
_QUOTED_STATUS: Final = re.compile(r"HTTP error (\d{3})")


def verdict_of(
    preset: Preset | None, status: int, retry_after: str, text: str, reply: str, now: datetime
) -> Outcome:
    """The Outcome of an answer of ``preset``'s peer; as ``verdict_on`` where there is none.

    ``text`` is the beginning of the answer's body, ``reply`` what is to be shown of it. An empty
    text is none: the rest of the answer may not have come.
    """
    outcome = verdict_on(status, retry_after, reply, now)
    match preset:
        case Preset.SLACK | Preset.MATTERMOST:
            return _unless_ok(outcome, text.strip())
        case Preset.TEAMS:
            return _teams(outcome, text, now)
        case Preset.PAGERDUTY:
            return _unless_status(outcome, text, refusals=None)
        case Preset.TWILIO_SMS:
            return _unless_status(outcome, text, refusals=("failed", "undelivered", "canceled"))
        case Preset.DISCORD:
            return _with_wish_of_body(outcome, text)
        case Preset.NTFY | Preset.GOTIFY | None:
            return outcome
        case _:
            assert_never(preset)


def _unless_ok(outcome: Outcome, text: str) -> Outcome:
    if outcome.verdict is not Verdict.DELIVERED or text in ("", "ok"):
        return outcome
    return _not_taken(outcome, Verdict.RETRY if text in _TRANSIENT else Verdict.REFUSED)


def _teams(outcome: Outcome, text: str, now: datetime) -> Outcome:
    if outcome.verdict is not Verdict.DELIVERED or "failed" not in text:
        return outcome
    quoted = _QUOTED_STATUS.search(text)
    if quoted is None:
        return _not_taken(outcome, Verdict.REFUSED)
    meant = verdict_on(int(quoted[1]), "", outcome.reply, now)
    # Only the endpoint's own 410 pauses a target.
    verdict = Verdict.REFUSED if meant.verdict is Verdict.DELIVERED else meant.verdict
    return _not_taken(outcome, verdict)


def _unless_status(outcome: Outcome, text: str, refusals: tuple[str, ...] | None) -> Outcome:
    """``refusals`` are the words that mean no; None: every word but ``success``."""
    status = _document(text).get("status")
    if outcome.verdict is not Verdict.DELIVERED or not isinstance(status, str):
        return outcome
    said_no = status != "success" if refusals is None else status in refusals
    return _not_taken(outcome, Verdict.REFUSED) if said_no else outcome


def _with_wish_of_body(outcome: Outcome, text: str) -> Outcome:
    if outcome.reason is not OutcomeReason.HTTP_RATE_LIMITED or outcome.retry_after is not None:
        return outcome
    wish = _document(text).get("retry_after")
    if not isinstance(wish, int | float) or not 0 <= wish < math.inf:
        return outcome
    seconds = min(math.ceil(wish), int(MOST_RETRY_AFTER.total_seconds()))
    return replace(outcome, retry_after=timedelta(seconds=seconds))


def _not_taken(outcome: Outcome, verdict: Verdict) -> Outcome:
    reply = f"{outcome.reply} (answered with {outcome.code}, but not taken)"
    return Outcome(verdict, OutcomeReason.PEER_REFUSED, outcome.code, reply)


def _document(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
