"""What the states of an event and of its deliveries mean, in a sentence: for who asks."""

from __future__ import annotations

from collections.abc import Mapping

from ironcore.notification.v1 import delivery_pb2, disposition_pb2

_DISPOSITIONS: Mapping[int, str] = {
    disposition_pb2.DISPOSITION_STATE_READY: (
        "Not sent yet: held by the rate limit of its group, or about to be handed on."
    ),
    disposition_pb2.DISPOSITION_STATE_HANDED_OFF: (
        "Released to be sent. How far it came is another matter: Tasks and the event's page tell."
    ),
    disposition_pb2.DISPOSITION_STATE_SILENCED: "Not sent: a silence was in force.",
    disposition_pb2.DISPOSITION_STATE_SUPPRESSED: (
        "Not sent: an identical event was told shortly before, and the next one counts this."
    ),
    disposition_pb2.DISPOSITION_STATE_COALESCED: (
        "Not sent twice: another group brings the same event to the same place."
    ),
    disposition_pb2.DISPOSITION_STATE_COLLAPSED: (
        "Not sent by itself: too many waited, and one summary stands for them."
    ),
}
_READY: Mapping[str, str] = {
    "held": "Not sent yet: the rate limit of its group holds it.",
    "waiting": "Not sent yet: about to be handed on.",
    "for the digest": "Gathered: it is handed on to wait for its digest.",
}
_DELIVERIES: Mapping[int, str] = {
    delivery_pb2.DELIVERY_STATE_QUEUED: "It is sent as soon as its target has room for it.",
    delivery_pb2.DELIVERY_STATE_LEASED: "It is being sent just now.",
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT: "An attempt failed; it is tried again by itself.",
    delivery_pb2.DELIVERY_STATE_WAITING: "It waits until somebody changes something.",
    delivery_pb2.DELIVERY_STATE_DIGEST_OPEN: "Gathered: it goes out with its digest.",
    delivery_pb2.DELIVERY_STATE_DELIVERED: "The target accepted it, for every recipient.",
    delivery_pb2.DELIVERY_STATE_DIGESTED: "It went out as part of a digest.",
    delivery_pb2.DELIVERY_STATE_DEAD: "Given up: it did not arrive, unless it is retried by hand.",
    delivery_pb2.DELIVERY_STATE_CANCELLED: "Cancelled: it is not sent.",
}


def of_disposition(state: int) -> str:
    """Nothing of a state that this release does not know."""
    return _DISPOSITIONS.get(state, "")


def of_ready(word: str) -> str:
    """What ``words.disposition`` says of an obligation that is ready."""
    return _READY[word]


def of_delivery(state: int) -> str:
    """Nothing of a state that this release does not know."""
    return _DELIVERIES.get(state, "")
