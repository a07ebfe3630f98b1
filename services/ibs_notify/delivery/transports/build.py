"""From a target to its transport. What a target does not need is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from ibs_notify.delivery.transports.base import Transport
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.metric_book import MetricBook
from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FailedPrecondition, FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.preset import NEEDS, Token
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    WEBHOOK_TOKEN,
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    Target,
    WebhookSpec,
    header_secret,
)

if TYPE_CHECKING:
    from ibs_notify.delivery.transports.pushgateway import PushgatewayTransport


def build_transport(
    target: Target,
    secrets: Mapping[str, str],
    settings: InstallationSettings,  # noqa: ARG001 # a Message brings those in force when it is sent
    clock: Clock,
    book: MetricBook,
    dialler: Dialler,
) -> Transport:
    """The transport of ``target``; ``secrets`` are open, by field as ``domain.target`` names them.

    ``book`` is for metric servers; ``dialler`` knows where it may reach. Raises FailedPrecondition
    (SECRET_REQUIRED) when a secret is missing and InvalidArgument when the spec cannot work.
    """
    match target.spec:
        case SmtpSpec() as spec:
            from ibs_notify.delivery.transports.smtp import SmtpTransport  # noqa: PLC0415

            needed = spec.auth is not SmtpAuth.NONE
            password = _secret(secrets, SMTP_PASSWORD, target) if needed else ""
            return SmtpTransport(spec, password, clock, dialler)
        case WebhookSpec() as spec:
            from ibs_notify.delivery.transports.webhook import WebhookTransport  # noqa: PLC0415

            values = {name: _secret(secrets, header_secret(name), target) for name in spec.headers}
            needs = Token.NONE if spec.preset is None else NEEDS[spec.preset].token
            if needs is Token.REQUIRED:
                _secret(secrets, WEBHOOK_TOKEN, target)
            token = secrets.get(WEBHOOK_TOKEN, "")
            signer = _signer(spec, secrets)
            return WebhookTransport(spec, values, clock, dialler, token=token, signer=signer)
        case InfluxDbSpec() as spec:
            from ibs_notify.delivery.transports.influxdb import InfluxDbTransport  # noqa: PLC0415

            token = _secret(secrets, INFLUXDB_TOKEN, target)
            return InfluxDbTransport(target.uid, spec, token, book, clock, dialler)
        case PushgatewaySpec() as spec:
            return build_pushgateway(target, spec, secrets, clock, book, dialler)
        case _:
            assert_never(target.spec)


def build_pushgateway(
    target: Target,
    spec: PushgatewaySpec,
    secrets: Mapping[str, str],
    clock: Clock,
    book: MetricBook,
    dialler: Dialler,
) -> PushgatewayTransport:
    """As ``build_transport``, of a target with ``spec``."""
    from ibs_notify.delivery.transports.pushgateway import PushgatewayTransport  # noqa: PLC0415

    password = _secret(secrets, PUSHGATEWAY_PASSWORD, target) if spec.username else ""
    bearer = secrets.get(PUSHGATEWAY_BEARER_TOKEN, "")
    return PushgatewayTransport(target, spec, password or bearer, book, clock, dialler)


def _signer(spec: WebhookSpec, secrets: Mapping[str, str]) -> Signer | None:
    try:
        return Signer.of(spec, secrets)
    except ValueError as error:
        raise InvalidArgument.of([FieldViolation("signing_secret", str(error))]) from None


def _secret(secrets: Mapping[str, str], field: str, target: Target) -> str:
    value = secrets.get(field)
    if value is None:
        raise FailedPrecondition(
            Reason.SECRET_REQUIRED,
            f"target {target.name} has no {field}",
            advice="give it with target update; it is cleared when the target's address changes",
        )
    return value
