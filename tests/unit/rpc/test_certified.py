"""Whom a certificate stands for: whoever its one URI names exactly, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.support.certificates import naming

from ibs_notify.domain.principal import Role, Service
from ibs_notify.launcher.authority import Authority
from ibs_notify.rpc.certified import certified

AUTHORITY = Authority.new(datetime.now(UTC))
ROUTER, ADMINISTRATOR = "spiffe://ibs-notify/router", "spiffe://ibs-notify/administrator"


@pytest.mark.parametrize(
    ("uris", "whom"),
    [
        ([ROUTER], Service.ROUTER),
        ([ADMINISTRATOR], Role.ADMINISTRATOR),
        (["spiffe://ibs-notify/viewer"], None),
        ([f"{ROUTER}/"], None),
        ([f"{ROUTER}?x"], None),
        ([f"{ROUTER} "], None),
        (["spiffe://ibs-notify/Router"], None),
        (["SPIFFE://ibs-notify/router"], None),
        (["spiffe://ibs-notify/%72outer"], None),
        (["spiffe://ibs-notify//router"], None),
        (["spiffe://ibs-notify:443/router"], None),
        (["spiffe://ibs-notify.example.com/router"], None),
        (["https://ibs-notify/router"], None),
        ([ROUTER, ADMINISTRATOR], None),
        ([ROUTER, ROUTER], None),
        ([ROUTER, "https://ibs-notify/"], None),
        # gRPC reads them up to the NUL.
        ([f"{ADMINISTRATOR}\0"], None),
        ([f"{ADMINISTRATOR}\0.example.com"], None),
    ],
)
def test_a_certificate_stands_for_whom_its_one_uri_names_exactly(
    uris: list[str], whom: Service | Role | None
) -> None:
    told = {
        "x509_common_name": [b"administrator"],
        "peer_spiffe_id": [each.encode().partition(b"\0")[0] for each in uris],
        "x509_pem_cert": [naming(AUTHORITY, *uris).certificate],
    }
    assert certified(told) is whom


@pytest.mark.parametrize("certificates", [[], [b""], [b"no certificate"], [b"one", b"another"]])
def test_what_is_no_certificate_stands_for_nobody(certificates: list[bytes]) -> None:
    told = {"peer_spiffe_id": [ROUTER.encode()], "x509_pem_cert": certificates}
    assert certified(told) is None


def test_a_certificate_without_other_names_stands_for_nobody() -> None:
    assert certified({"x509_pem_cert": [AUTHORITY.pem.certificate]}) is None
