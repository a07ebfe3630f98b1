"""What is legal in a target and yet probably not meant. Pure."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from ibs_notify.domain.egress import never_reached
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import (
    WEBHOOK_FORMER_SIGNING_SECRET,
    WEBHOOK_SIGNING_SECRET,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    Target,
    TlsMode,
)


def target_warnings(
    target: Target, settings: InstallationSettings, secrets: Collection[str]
) -> list[str]:
    """A sentence for each oddity; ``secrets`` are the fields that the target has."""
    spec = target.spec
    if isinstance(spec, SmtpSpec):
        return _reach_warnings(spec.server) + _smtp_warnings(target.name, spec, settings)
    warnings = _reach_warnings(urlsplit(spec.url).hostname or "")
    if spec.url.startswith("http://"):
        # Of signing secrets only signatures travel.
        sent = set(secrets) - {WEBHOOK_SIGNING_SECRET, WEBHOOK_FORMER_SIGNING_SECRET}
        if sent:
            warnings.append(
                f"{', '.join(sorted(sent))} will travel in clear text: the URL is not https"
            )
        if spec.ca_pem:
            warnings.append("the CA certificates are not used: the URL is not https")
    path = urlsplit(spec.url).path.rstrip("/")
    if isinstance(spec, InfluxDbSpec) and path.endswith("/write"):
        warnings.append("/api/v2/write is added to the URL, which ends in it already")
    if isinstance(spec, PushgatewaySpec) and "/metrics" in path:
        warnings.append("/metrics/job/… is added to the URL, which has it already")
    return warnings


def _reach_warnings(host: str) -> list[str]:
    why = never_reached(host.strip("[]"))
    return [f"nothing will ever be sent there: {why}"] if why else []


def _smtp_warnings(name: str, spec: SmtpSpec, settings: InstallationSettings) -> list[str]:
    warnings: list[str] = []
    if spec.tls_mode is TlsMode.NONE:
        if spec.auth is not SmtpAuth.NONE:
            warnings.append("the password will travel in clear text: the TLS mode is none")
        if spec.ca_pem:
            warnings.append("the CA certificates are not used: the TLS mode is none")
    if not spec.recipients and not settings.default_recipients:
        warnings.append(
            f"target {name!r} has no recipients, and the setting default_recipients is empty: mail "
            "of subscriptions without their own recipients will wait until there are some"
        )
    if not spec.from_address and not settings.sender:
        warnings.append(f"target {name!r} has no from address, and the setting sender is empty")
    return warnings
