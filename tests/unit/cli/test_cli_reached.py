"""What stands in the way of a call, in words that say what to do."""

from __future__ import annotations

import grpc
import pytest

from ibs_notify.cli.reached import not_reached
from ibs_notify.domain.errors import Unauthenticated, Unavailable
from ibs_notify.rpc.client_credentials import Endpoint

PLAIN = Endpoint("ibs:50052")
TLS = Endpoint("ibs:50052", grpc.ssl_channel_credentials(), "router.ibs-notify")


class Failure(grpc.RpcError):
    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("endpoint", "details", "said"),
    [
        (TLS, "Hostname Verification Check failed.", "shows a certificate that is not that of"),
        (TLS, "CERTIFICATE_VERIFY_FAILED: unable to get", "is of another CA than ours"),
        (TLS, "SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "does not speak TLS"),
        (TLS, "Socket closed", "can accept our certificate"),
        (PLAIN, "Socket closed", "set tls_directory to where ca.pem is"),
        (PLAIN, "connection refused", "Router at ibs:50052 cannot be reached"),
    ],
)
def test_a_connection_that_fails_says_why(endpoint: Endpoint, details: str, said: str) -> None:
    error = not_reached("router", endpoint, Failure(details))
    assert isinstance(error, Unavailable)
    assert said in str(error)


def test_a_token_that_cannot_be_read_is_no_matter_of_the_network() -> None:
    details = "Getting metadata from plugin failed with error: the file /t holds no token"
    error = not_reached("router", TLS, Failure(details))
    assert isinstance(error, Unauthenticated)
    assert error.message == "the file /t holds no token"
