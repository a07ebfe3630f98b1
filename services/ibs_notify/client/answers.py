"""From the Router's answer to one event of a batch to what an emitter waits for."""

from __future__ import annotations

from ibs_notify.domain.errors import (
    AlreadyExists,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotificationError,
    PermissionDenied,
    Reason,
    Unavailable,
)
from ironcore.notification.v1 import error_reason_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_NOT_NOW = frozenset(
    {
        Reason.STORAGE_FULL,
        Reason.STORAGE_UNAVAILABLE,
        Reason.TOO_MANY_REQUESTS,
        Reason.NOT_READY,
        Reason.SERVICE_UNREACHABLE,
    }
)


def as_answer(result: pb.EmitResult) -> pb.EmitResponse | NotificationError:
    """The acknowledgement, or what the event was refused with.

    Raises ``Unavailable`` for a refusal that is none of the event's fault: the batch is repeated.
    """
    if not result.HasField("error"):
        return result.accepted
    error = result.error
    reason = _reason(error.reason)
    if reason in _NOT_NOW:
        raise Unavailable(reason, error.message)
    if reason is Reason.EVENT_ID_REUSED:
        return AlreadyExists(reason, error.message)
    if reason is Reason.PERMISSION_DENIED:
        return PermissionDenied(reason, error.message)
    if reason is Reason.INTERNAL:
        return Internal(reason, error.message)
    violations = [FieldViolation(each.path, each.description) for each in error.faults]
    return InvalidArgument(reason, error.message, violations=violations)


def _reason(number: error_reason_pb2.ErrorReason.ValueType) -> Reason:
    try:
        name = error_reason_pb2.ErrorReason.Name(number)
        return Reason(name.removeprefix("ERROR_REASON_"))
    except ValueError:
        # Of a later release.
        return Reason.EVENT_INVALID
