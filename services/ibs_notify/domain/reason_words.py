"""Why a delivery stands where it stands, in words: what the reasons of the API mean to people."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    # What keeps it back.
    "HELD": "all deliveries are held until somebody releases them",
    "TARGET_FAILING": "its target fails; it is sent as soon as the target works again",
    "TARGET_DISABLED": "its target is disabled",
    "TARGET_PAUSED": "its target asked for no more, until it is resumed or changed",
    "TARGET_DELETED": "its target was deleted",
    "NO_RECIPIENTS": "nobody is configured to receive it",
    "SECRET_UNREADABLE": "a secret of its target cannot be opened",
    "SECRET_REQUIRED": "a secret of its target must be given again",
    "CONFIG_BEHIND": "Delivery does not know the configuration yet that routed it",
    "TRANSPORT_NOT_AVAILABLE": "this release cannot send to targets of this type",
    "WORKER_DIED": "Delivery stopped in the middle of an attempt",
    # How it ended without the peer.
    "EXPIRED": "tried for five days, and given up",
    "POISON": "Delivery died with it in hand, again and again",
    "BY_REQUEST": "somebody cancelled it",
    # What an attempt came to.
    "ACCEPTED": "accepted",
    "PARTLY_ACCEPTED": "accepted for some recipients, not for others",
    "DNS_FAILED": "the server's name was not found",
    "ADDRESS_REFUSED": "the address is one that no target may reach",
    "CONNECT_FAILED": "no connection to the server",
    "TLS_FAILED": "no trusted encryption with the server",
    "STARTTLS_NOT_OFFERED": "the mail server offers no STARTTLS",
    "AUTH_NOT_OFFERED": "the mail server does not offer this way to log in",
    "AUTH_FAILED": "the mail server did not take the credentials",
    "TIMEOUT": "no answer in time",
    "DISCONNECTED": "the connection broke in the middle",
    "PROTOCOL_ERROR": "the answer was none of its protocol",
    "SMTP_4XX": "the mail server refused it for now",
    "SMTP_5XX": "the mail server refused it for good",
    "SMTPUTF8_NOT_OFFERED": "an address is not ASCII, and the mail server takes only such",
    "MESSAGE_TOO_LARGE": "larger than the mail server takes",
    "HTTP_4XX": "the endpoint refused it",
    "HTTP_5XX": "the endpoint failed",
    "HTTP_TRY_AGAIN": "the endpoint asks for it again",
    "HTTP_RATE_LIMITED": "the endpoint says: too many requests",
    "HTTP_GONE": "the endpoint wants no more",
    "PEER_REFUSED": "the endpoint answered that it did not take it",
    "HTTP_REDIRECT": "the endpoint leads elsewhere, and redirects are not followed",
    "PUSHED_ELSEWHERE": "another replica had the turn to push",
    "TEMPLATE_FAILED": "what its template makes of it is too large",
    "MISCONFIGURED": "the settings of its target cannot work",
    "INTERNAL": "a fault of ours; Delivery's log says more",
}


def reason(name: str) -> str:
    """``no connection to the server`` of ``CONNECT_FAILED``; of a newer release, the name."""
    return WORDS.get(name) or name.lower().replace("_", " ")
