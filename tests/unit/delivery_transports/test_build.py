from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.metric_book import MemoryBook
from tests.support.transports import ANYWHERE, LoopbackCa, StillClock

from ibs_notify.config.syntax import header_value_problem
from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, Reason
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    Target,
    TargetSpec,
    WebhookSpec,
    header_secret,
)


def build(spec: TargetSpec, **secrets: str) -> object:
    return build_transport(
        Target("chat", "uid", spec),
        secrets,
        InstallationSettings(),
        StillClock(),
        MemoryBook(),
        ANYWHERE,
    )


@pytest.mark.parametrize(
    "spec",
    [
        SmtpSpec("127.0.0.1", 25, auth=SmtpAuth.PLAIN, username="u"),
        WebhookSpec("http://127.0.0.1", headers=("Authorization",)),
        InfluxDbSpec("http://127.0.0.1", "o", "b"),
        PushgatewaySpec("http://127.0.0.1", username="u"),
    ],
)
def test_a_secret_that_is_missing_is_named_when_built(spec: TargetSpec) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        build(spec)
    assert caught.value.reason is Reason.SECRET_REQUIRED
    assert "chat" in str(caught.value)


def test_every_header_value_that_may_be_saved_can_be_sent() -> None:
    value = "".join(chr(code) for code in range(128) if not header_value_problem(chr(code)))
    assert build(WebhookSpec("http://127.0.0.1", headers=("X",)), **{header_secret("X"): value})


def test_a_ca_file_may_have_remarks_in_any_language_and_must_have_a_certificate() -> None:
    assert dial.tls_context(f"# Zertifikat für Übung\n{LoopbackCa().pem}").get_ca_certs()
    for remarks in ("Übung", "\u00fc", " "):
        with pytest.raises(InvalidArgument):
            dial.tls_context(remarks)


def test_a_gateway_needs_no_secret() -> None:
    assert build(PushgatewaySpec("http://127.0.0.1"))


def test_a_service_without_a_metric_server_imports_no_client_of_one() -> None:
    program = (
        "import sys, ibs_notify.delivery.app;"
        "print(sorted({'influxdb_client', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_contract_alone_imports_no_client_library() -> None:
    program = (
        "import sys, ibs_notify.delivery.transports.base, ibs_notify.delivery.transports.build;"
        "clients = {'aiohttp', 'aiosmtplib', 'grpc', 'sqlalchemy', 'jinja2', 'influxdb_client',"
        " 'prometheus_client'};"
        "print(sorted(clients & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
