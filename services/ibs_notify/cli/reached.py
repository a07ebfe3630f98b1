"""A call that did not reach a service: what is in the way, and what to do about it."""

from __future__ import annotations

import grpc

from ibs_notify.domain.errors import NotificationError, Reason, Unauthenticated, Unavailable
from ibs_notify.rpc.client_credentials import Endpoint
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import ServiceName

_NOT_IT = "Hostname Verification"
_NOT_VOUCHED_FOR = "CERTIFICATE_VERIFY_FAILED"
_NO_TLS = "WRONG_VERSION_NUMBER"
_CLOSED = "Socket closed"
_NO_TOKEN = "from plugin failed with error: "


def not_reached(
    service: ServiceName, endpoint: Endpoint, error: grpc.RpcError
) -> NotificationError:
    """The error of a call that failed without an answer of ours."""
    name, address = service.capitalize(), endpoint.address
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return _unreachable(
            f"what answers at {address} is not {name}, or of another release",
            f"see what listens there, or set IBS_NOTIFY_{service.upper()}_ADDRESS",
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _unreachable(
            f"{name} at {address} does not answer in time", _see_that_it_runs(service)
        )
    if code is not grpc.StatusCode.UNAVAILABLE:
        return from_rpc_error(error)
    if _NO_TOKEN in details:
        why = details.partition(_NO_TOKEN)[2]
        return Unauthenticated(Reason.UNAUTHENTICATED, why)
    if _NOT_IT in details:
        return _unreachable(
            f"what listens at {address} shows a certificate that is not that of {name}",
            f"see what listens there, or set IBS_NOTIFY_{service.upper()}_ADDRESS",
        )
    if _NOT_VOUCHED_FOR in details:
        return _unreachable(
            f"the certificate of {name} at {address} is of another CA than ours, or not valid now",
            "compare with ibs-notify certs show where it runs",
        )
    if _NO_TLS in details:
        return _unreachable(
            f"what listens at {address} does not speak TLS",
            "unset tls_directory, or set it for the services as well",
        )
    if _CLOSED in details:
        return _unreachable(f"{name} at {address} closes the connection", _why_closed(endpoint))
    return _unreachable(f"{name} at {address} cannot be reached", _see_that_it_runs(service))


def _why_closed(endpoint: Endpoint) -> str:
    if endpoint.credentials is None:
        return "see that it runs; where it has TLS, set tls_directory to where ca.pem is"
    return "see that it runs, and with ibs-notify certs show that it can accept our certificate"


def _see_that_it_runs(service: ServiceName) -> str:
    return f"see that it runs, or set IBS_NOTIFY_{service.upper()}_ADDRESS"


def _unreachable(message: str, advice: str) -> Unavailable:
    return Unavailable(Reason.SERVICE_UNREACHABLE, message, advice=advice)
