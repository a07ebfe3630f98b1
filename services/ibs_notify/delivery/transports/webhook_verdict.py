"""What an HTTP answer means for a message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict

MOST_RETRY_AFTER: Final = timedelta(hours=24)

WEBHOOK_ADVICE: Final[Mapping[int, str]] = {
    401: "the endpoint does not know these credentials: "
    "renew the header with target update --header",
    403: "the endpoint does not allow it: check the header with target update --header",
    404: "check the target's URL",
    405: "check the target's --method",
    413: "the body is too large for the endpoint: shorten it in the template",
    415: "check the target's --content-type",
}


def verdict_on(
    status: int,
    retry_after: str,
    reply: str,
    now: datetime,
    advice: Mapping[int, str] = WEBHOOK_ADVICE,
) -> Outcome:
    """The Outcome of an answer with ``status`` and the header Retry-After, empty if there is none.

    ``advice`` is what an administrator can do about a refusal, by status.
    2xx is delivered; 408, 425, 429 and 5xx are tried again, no sooner than the endpoint asks; 410
    pauses the target; a redirect is a refusal, as any other 4xx. Anything else is no HTTP answer.
    """
    said = f"{reply} " if reply else ""
    match status:
        case _ if 200 <= status < 300:
            return Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, status, reply)
        case 408 | 425:
            return _later(OutcomeReason.HTTP_TRY_AGAIN, status, reply, retry_after, now)
        case 429:
            return _later(OutcomeReason.HTTP_RATE_LIMITED, status, reply, retry_after, now)
        case _ if 500 <= status < 600:
            return _later(OutcomeReason.HTTP_5XX, status, reply, retry_after, now)
        case 410:
            reply = f"{said}(the endpoint is gone: the target pauses until it is resumed)"
            return Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, status, reply, pause=True)
        case _ if 300 <= status < 400:
            reply = f"{said}(redirects are not followed: give the target the final URL)"
            return Outcome(Verdict.REFUSED, OutcomeReason.HTTP_REDIRECT, status, reply)
        case _ if 400 <= status < 500:
            help_text = advice.get(status, "")
            reply = f"{said}({help_text})" if help_text else reply
            return Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, status, reply)
        case _:
            reply = f"{said}(not a final HTTP status)"
            return Outcome(Verdict.RETRY, OutcomeReason.PROTOCOL_ERROR, status, reply)


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110 section 10.2.3), 0 to 24 hours; None for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        # Long digits are clamped before they can overflow.
        return min(timedelta(seconds=int(value[:9])), MOST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(timedelta(0), min(moment - now, MOST_RETRY_AFTER))


def phrase_of(status: int) -> str:
    """The standard words for ``status``, for an endpoint that says nothing itself."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _later(
    reason: OutcomeReason, status: int, reply: str, retry_after: str, now: datetime
) -> Outcome:
    wish = parse_retry_after(retry_after, now) if retry_after else None
    return Outcome(Verdict.RETRY, reason, status, reply, retry_after=wish)
