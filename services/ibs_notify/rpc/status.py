"""Errors cross the wire here: the one place that turns ours into ``google.rpc.Status`` and back.

Every failure carries one ``ErrorInfo`` (domain ``notification.ironcore``, reason, advice in its
metadata); bad fields add ``BadRequest``, limits add ``RetryInfo`` (AIP-193).

A client takes 8 KiB of metadata by default and reports a limit instead of the error beyond, so what
is long is cut: the message travels twice, once percent-encoded, and the details in base64.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from ibs_notify.domain import errors

ERROR_DOMAIN = "notification.ironcore"
_MESSAGE_BYTES = 800
_ADVICE_BYTES = 400
_VIOLATION_BYTES = 400
_VIOLATIONS_BYTES = 2000

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
        info.metadata["advice"] = _cut(error.advice, _ADVICE_BYTES)
    status = status_pb2.Status(code=code, message=_cut(error.message, _MESSAGE_BYTES))
    _attach(status, info)
    if isinstance(error, errors.InvalidArgument) and error.violations:
        _attach(status, _bad_request(error.violations))
    if isinstance(error, errors.ResourceExhausted | errors.Unavailable):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        _attach(status, retry)
    return status


def from_rpc_error(error: grpc.RpcError | grpc.aio.AioRpcError) -> errors.NotificationError:
    """The error that the server raised; one without our details becomes its nearest class."""
    code = error.code()
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # every RpcError is a Call
    except ValueError:
        # The transport failed the call after the server had; the details are of another status.
        status = None
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


def _bad_request(violations: Sequence[errors.FieldViolation]) -> error_details_pb2.BadRequest:
    """As many as there is room for; the last one says how many more there are."""
    bad = error_details_pb2.BadRequest()
    for index, each in enumerate(violations):
        if bad.ByteSize() > _VIOLATIONS_BYTES:
            bad.field_violations.add(description=f"and {len(violations) - index} more")
            break
        bad.field_violations.add(
            field=_cut(each.path, _VIOLATION_BYTES),
            description=_cut(each.description, _VIOLATION_BYTES),
        )
    return bad


def _cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` bytes of UTF-8."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return encoded.decode()
    return encoded[: most - 3].decode(errors="ignore") + "…"


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


def naming_service(error: errors.NotificationError, service: str) -> errors.NotificationError:
    """``error``, saying in words which service it is that cannot be reached."""
    if error.reason is not errors.Reason.SERVICE_UNREACHABLE:
        return error
    return errors.Unavailable(
        errors.Reason.SERVICE_UNREACHABLE,
        f"the {service.capitalize()} service cannot be reached",
        advice=f"start it, or check IBS_NOTIFY_{service.upper()}_ADDRESS",
    )
