"""Every error this system raises on purpose. ``rpc.status`` is the one place that maps them.

NotificationError                       reason, message, advice
├── InvalidArgument                     the caller must change the request; names every bad field
├── NotFound                            no such thing
├── AlreadyExists                       the name is taken, or the id was used with other content
├── FailedPrecondition                  right request, wrong state: in use, secret missing …
├── Aborted                             somebody else changed it first: read again, then retry
├── OutOfRange                          a resume token that is too old
├── ResourceExhausted(retry_after)      a limit or a full disk
├── Unavailable(retry_after)            try again: a peer or the database cannot answer now
├── Unimplemented                       part of the API, not yet of this release
├── Unauthenticated                     no valid identity
├── PermissionDenied                    identity known, not allowed
└── Internal                            a fault of ours
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a call failed, for programs: ``ErrorReason`` of the API without its prefix."""

    FIELD_INVALID = "FIELD_INVALID"
    EVENT_INVALID = "EVENT_INVALID"
    RULE_INVALID = "RULE_INVALID"
    TEMPLATE_INVALID = "TEMPLATE_INVALID"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"
    TARGET_NOT_FOUND = "TARGET_NOT_FOUND"
    GROUP_NOT_FOUND = "GROUP_NOT_FOUND"
    SUBSCRIPTION_NOT_FOUND = "SUBSCRIPTION_NOT_FOUND"
    ATTACHMENT_NOT_FOUND = "ATTACHMENT_NOT_FOUND"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    DELIVERY_NOT_FOUND = "DELIVERY_NOT_FOUND"
    SILENCE_NOT_FOUND = "SILENCE_NOT_FOUND"
    DIGEST_NOT_FOUND = "DIGEST_NOT_FOUND"
    TARGET_EXISTS = "TARGET_EXISTS"
    GROUP_EXISTS = "GROUP_EXISTS"
    SUBSCRIPTION_EXISTS = "SUBSCRIPTION_EXISTS"
    EVENT_ID_REUSED = "EVENT_ID_REUSED"
    TARGET_IN_USE = "TARGET_IN_USE"
    TARGET_HAS_QUEUE = "TARGET_HAS_QUEUE"
    GROUP_IN_USE = "GROUP_IN_USE"
    SECRET_REQUIRED = "SECRET_REQUIRED"
    RECIPIENT_REQUIRED = "RECIPIENT_REQUIRED"
    DELIVERY_NOT_RETRYABLE = "DELIVERY_NOT_RETRYABLE"
    DIGEST_NOT_OPEN = "DIGEST_NOT_OPEN"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    RESUME_TOKEN_EXPIRED = "RESUME_TOKEN_EXPIRED"
    STORAGE_FULL = "STORAGE_FULL"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    NOT_READY = "NOT_READY"
    SERVICE_UNREACHABLE = "SERVICE_UNREACHABLE"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    INTERNAL = "INTERNAL"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"
    TOKEN_EXISTS = "TOKEN_EXISTS"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    KEY_IN_USE = "KEY_IN_USE"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: ``path`` as in ``group.subscriptions[1].rule``, and what is wrong with it."""

    path: str
    description: str


class NotificationError(Exception):
    """The root. ``message`` says what went wrong, ``advice`` what to do about it."""

    def __init__(self, reason: Reason, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


class InvalidArgument(NotificationError):
    """The request can never succeed as it is. Every bad field is named, not only the first."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        advice: str = "",
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(reason, message, advice=advice)
        self.violations = tuple(violations)

    @classmethod
    def of(
        cls, violations: Sequence[FieldViolation], reason: Reason = Reason.FIELD_INVALID
    ) -> InvalidArgument:
        """The error whose message lists ``violations``."""
        message = "; ".join(f"{each.path}: {each.description}" for each in violations)
        return cls(reason, message, violations=violations)


class NotFound(NotificationError):
    """There is no such thing, or no longer."""


class AlreadyExists(NotificationError):
    """The name is taken, or the event id was used before with other content."""


class FailedPrecondition(NotificationError):
    """The request is right, the state is not; ``advice`` says what would make it work."""


class Aborted(NotificationError):
    """Somebody else changed it in between: read it again, then repeat the change."""


class OutOfRange(NotificationError):
    """The resume token is older than what is kept: start again from the current state."""


class _RetryLater(NotificationError):
    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        advice: str = "",
        retry_after: timedelta = timedelta(seconds=1),
    ) -> None:
        super().__init__(reason, message, advice=advice)
        self.retry_after = retry_after


class ResourceExhausted(_RetryLater):
    """A limit was reached, or the disk is full. Nothing was changed."""


class Unavailable(_RetryLater):
    """The database or a peer service cannot answer now. Nothing was changed; retry is safe."""


class Unimplemented(NotificationError):
    """Part of the API, but not yet of this release."""


class Unauthenticated(NotificationError):
    """The caller did not prove who it is."""


class PermissionDenied(NotificationError):
    """The caller is known and may not do this."""


class Internal(NotificationError):
    """A fault of ours; the log has the details."""
