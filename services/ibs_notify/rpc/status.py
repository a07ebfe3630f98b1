"""Errors cross the wire here: the one place that turns ours into ``google.rpc.Status`` and back.

Every failure carries one ``ErrorInfo`` (domain ``notification.ironcore``, reason, advice in its
metadata); bad fields add ``BadRequest``, limits add ``RetryInfo`` (AIP-193).
"""

from __future__ import annotations

from datetime import timedelta

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from ibs_notify.domain import errors

ERROR_DOMAIN = "notification.ironcore"

_CODES: dict[type[errors.NotificationError], int] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.Aborted: code_pb2.ABORTED,
    errors.OutOfRange: code_pb2.OUT_OF_RANGE,
    errors.ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.Unimplemented: code_pb2.UNIMPLEMENTED,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    errors.Internal: code_pb2.INTERNAL,
}
_ERRORS = {code: kind for kind, code in _CODES.items()}


def to_status(error: errors.NotificationError) -> status_pb2.Status:
    """The wire form of an error; a subclass travels as the nearest class of the table."""
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN)
    if error.advice:
        info.metadata["advice"] = error.advice
    status = status_pb2.Status(code=code, message=error.message)
    _attach(status, info)
    if isinstance(error, errors.InvalidArgument) and error.violations:
        _attach(
            status,
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=each.path, description=each.description
                    )
                    for each in error.violations
                ]
            ),
        )
    if isinstance(error, errors.ResourceExhausted | errors.Unavailable):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        _attach(status, retry)
    return status


def from_rpc_error(error: grpc.RpcError | grpc.aio.AioRpcError) -> errors.NotificationError:
    """The error that the server raised; one without our details becomes its nearest class."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # every RpcError is a Call
    code = error.code()
    if status is None:
        return _from_code(code, error.details() or code.name)
    info, violations, retry_after = _details(status)
    kind = _ERRORS.get(status.code, errors.Internal)
    try:
        reason = errors.Reason(info.reason)
    except ValueError:
        return _from_code(code, status.message)
    advice = info.metadata.get("advice", "")
    if issubclass(kind, errors.InvalidArgument):
        return kind(reason, status.message, advice=advice, violations=violations)
    if issubclass(kind, errors.ResourceExhausted | errors.Unavailable):
        return kind(reason, status.message, advice=advice, retry_after=retry_after)
    return kind(reason, status.message, advice=advice)


def _attach(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo,
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _details(
    status: status_pb2.Status,
) -> tuple[error_details_pb2.ErrorInfo, list[errors.FieldViolation], timedelta]:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, bad, retry):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    violations = [
        errors.FieldViolation(each.field, each.description) for each in bad.field_violations
    ]
    return info, violations, retry.retry_delay.ToTimedelta()


def _from_code(code: grpc.StatusCode, message: str) -> errors.NotificationError:
    """What the transport itself says, such as UNAVAILABLE for a service that is not there."""
    number: int = code.value[0]
    kind = _ERRORS.get(number, errors.Internal)
    reason = _TRANSPORT_REASONS.get(code, errors.Reason.INTERNAL)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        kind = errors.Unavailable
    return kind(reason, message)


_TRANSPORT_REASONS = {
    grpc.StatusCode.UNAVAILABLE: errors.Reason.SERVICE_UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.Reason.SERVICE_UNREACHABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Reason.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNIMPLEMENTED: errors.Reason.NOT_IMPLEMENTED,
    grpc.StatusCode.INVALID_ARGUMENT: errors.Reason.FIELD_INVALID,
    grpc.StatusCode.UNAUTHENTICATED: errors.Reason.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: errors.Reason.PERMISSION_DENIED,
}
