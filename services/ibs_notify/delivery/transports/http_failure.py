"""The end of an attempt that got no answer. Texts of aiohttp are not used: they quote URLs."""

from __future__ import annotations

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.stages import AttemptFailed, retry


def failure_of(error: Exception, peer: str) -> AttemptFailed:
    """What one of ``http_peer.FAILURES`` means; ``peer`` is how people are shown the address."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return dial.tls_failure(error.certificate_error, peer)
        case aiohttp.ClientConnectorSSLError():
            return dial.tls_failure(error.os_error, peer)
        case aiohttp.ClientConnectorDNSError():
            return retry(OutcomeReason.DNS_FAILED, f"the host of {peer} does not resolve")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or "no connection"
            return retry(OutcomeReason.CONNECT_FAILED, f"{peer}: {why}")
        case aiohttp.InvalidURL():
            why = "is a number that is no plain IP address"
            return retry(OutcomeReason.ADDRESS_REFUSED, f"the host of {peer} {why}")
        case aiohttp.ConnectionTimeoutError():
            return retry(OutcomeReason.TIMEOUT, f"no connection to {peer} in time")
        case TimeoutError():
            return _maybe(OutcomeReason.TIMEOUT, f"{peer} did not answer in time")
        case HttpProcessingError():
            return _maybe(OutcomeReason.PROTOCOL_ERROR, f"{peer} answered something else than HTTP")
        case _:
            return _maybe(OutcomeReason.DISCONNECTED, f"{peer} broke the connection")


def _maybe(reason: OutcomeReason, reply: str) -> AttemptFailed:
    """The request was sent, perhaps: the endpoint may have taken it."""
    return AttemptFailed(Outcome(Verdict.RETRY, reason, reply=reply, maybe_accepted=True))
