"""What is legal in a target and probably not meant."""

from __future__ import annotations

import pytest

from ibs_notify.config.warn_target import target_warnings
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpSpec,
    Target,
    TargetSpec,
    WebhookSpec,
)


def warnings(spec: TargetSpec, *secrets: str) -> list[str]:
    return target_warnings(Target("metrics", "t1", spec), InstallationSettings(), secrets)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (InfluxDbSpec("https://m/api/v2/write", "o", "b"), "/api/v2/write is added"),
        (PushgatewaySpec("https://m/metrics/job/ibs"), "/metrics/job/… is added"),
        (PushgatewaySpec("http://m", ca_pem="pem"), "CA certificates are not used"),
    ],
)
def test_an_address_of_a_metric_server_that_is_probably_not_meant(
    spec: TargetSpec, words: str
) -> None:
    (warning,) = warnings(spec)
    assert words in warning


def test_a_token_in_clear_text_is_warned_of() -> None:
    (warning,) = warnings(InfluxDbSpec("http://m", "o", "b"), "influxdb.token")
    assert "influxdb.token will travel in clear text" in warning


@pytest.mark.parametrize(
    "spec",
    [
        WebhookSpec("http://169.254.169.254/latest/meta-data"),
        WebhookSpec("https://[fe80::1]:8443/"),
        InfluxDbSpec("https://0.0.0.0:8086", "o", "b"),
        PushgatewaySpec("https://[::ffff:169.254.169.254]"),
        SmtpSpec("169.254.169.254", 25, recipients=("a@example.com",), from_address="b@c.example"),
        SmtpSpec("[fe80::1]", 25, recipients=("a@example.com",), from_address="b@c.example"),
    ],
)
def test_an_address_that_no_target_ever_reaches_is_warned_of(spec: TargetSpec) -> None:
    (warning,) = warnings(spec)
    assert warning.startswith("nothing will ever be sent there: ")


@pytest.mark.parametrize(
    "spec", [InfluxDbSpec("https://m/base", "o", "b"), PushgatewaySpec("https://m")]
)
def test_a_metric_server_as_it_should_be_has_no_warning(spec: TargetSpec) -> None:
    assert warnings(spec) == []
