"""A target: where notifications go and how. Secrets are kept apart and never in here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ibs_notify.domain.preset import Preset
from ibs_notify.domain.templates import NO_TEMPLATE_SET, TemplateSet


class SmtpAuth(StrEnum):
    NONE = "none"
    PLAIN = "plain"
    LOGIN = "login"


class TlsMode(StrEnum):
    """How a mail connection is protected; there is no falling back from one to another."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"

    @property
    def default_port(self) -> int:
        return {TlsMode.STARTTLS: 587, TlsMode.IMPLICIT: 465, TlsMode.NONE: 25}[self]


@dataclass(frozen=True, slots=True)
class SmtpSpec:
    """A mail server. ``from_address`` empty means the setting ``sender``. Secret: password."""

    server: str
    port: int
    tls_mode: TlsMode = TlsMode.STARTTLS
    auth: SmtpAuth = SmtpAuth.NONE
    username: str = ""
    from_address: str = ""
    recipients: tuple[str, ...] = ()
    ca_pem: str = ""
    templates: TemplateSet = NO_TEMPLATE_SET


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """An HTTP endpoint. ``headers`` are names only; their values are secrets.

    Secrets beside them: token, and the signing secret, together with the former one until
    ``former_signing_until``. ``account``, ``sender`` and ``recipient`` are of some presets.
    """

    url: str
    method: str = "POST"
    headers: tuple[str, ...] = ()
    body_template: str = ""
    content_type: str = "application/json"
    ca_pem: str = ""
    digest_body_template: str = ""
    preset: Preset | None = None
    account: str = ""
    sender: str = ""
    recipient: str = ""
    former_signing_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class InfluxDbSpec:
    """An InfluxDB v2 write API. Secret: token."""

    url: str
    org: str
    bucket: str
    ca_pem: str = ""


@dataclass(frozen=True, slots=True)
class PushgatewaySpec:
    """A Prometheus Pushgateway. Secrets: password, bearer_token."""

    url: str
    job: str = "ibs-notifications"
    username: str = ""
    ca_pem: str = ""


TargetSpec = SmtpSpec | WebhookSpec | InfluxDbSpec | PushgatewaySpec


@dataclass(frozen=True, slots=True)
class Target:
    """``max_rate`` is messages a minute, 0 for no bound; ``revision``: of its last change."""

    name: str
    uid: str
    spec: TargetSpec
    description: str = ""
    disabled: bool = False
    max_rate: int = 0
    revision: int = 0

    @property
    def is_metric_server(self) -> bool:
        """Metric servers record, they do not notify: nothing quietens them."""
        return isinstance(self.spec, InfluxDbSpec | PushgatewaySpec)


SMTP_PASSWORD = "smtp.password"
INFLUXDB_TOKEN = "influxdb.token"
PUSHGATEWAY_PASSWORD = "pushgateway.password"
PUSHGATEWAY_BEARER_TOKEN = "pushgateway.bearer_token"
WEBHOOK_TOKEN = "webhook.token"
WEBHOOK_SIGNING_SECRET = "webhook.signing_secret"
WEBHOOK_FORMER_SIGNING_SECRET = "webhook.former_signing_secret"


def header_secret(name: str) -> str:
    """The field under which the value of webhook header ``name`` is sealed; names fold case."""
    return f"webhook.headers[{name.lower()}]"
