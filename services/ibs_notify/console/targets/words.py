"""What the fields and presets of targets are called, and at which field of a form a fault is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from ibs_notify.domain.preset import Preset
from ironcore.notification.v1 import target_pb2 as pb

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "Name",
        "description": "Description",
        "max_rate_per_minute": "Most messages a minute",
        "server": "Server",
        "port": "Port",
        "from_address": "From",
        "auth_method": "Auth method",
        "username": "Username",
        "password": "Password",
        "tls_mode": "TLS",
        "recipients": "Recipients",
        "ca_pem": "CA certificates",
        "subject_template": "Template of the subject",
        "text_template": "Template of the text",
        "html_template": "Template of the HTML",
        "digest_subject_template": "Template of a digest's subject",
        "digest_text_template": "Template of a digest's text",
        "digest_html_template": "Template of a digest's HTML",
        "url": "URL",
        "method": "Method",
        "headers": "Headers",
        "body_template": "Body template",
        "content_type": "Content type",
        "digest_body_template": "Body template of digests",
        "preset": "Preset",
        "token": "Token",
        "account": "Account SID",
        "sender": "Sender",
        "recipient": "Recipient",
        "signing_secret": "Signing secret",
        "org": "Organisation",
        "bucket": "Bucket",
        "job": "Job",
        "bearer_token": "Bearer token",
    }
)
SECRETS: Final = ("password", "token", "bearer_token", "signing_secret")
"""The fields that are input only; the values of headers are secrets too."""
FORM_NAMES: Final[Mapping[str, str]] = MappingProxyType({"max_rate_per_minute": "max_rate"})
"""Fields that the form calls otherwise than the API."""
_METRIC_SERVERS: Final = ("influxdb", "pushgateway")
_KINDS: Final = ("smtp", "webhook", *_METRIC_SERVERS)


def is_metric_server(target: pb.Target) -> bool:
    """Whether it counts events and tells nobody."""
    return target.WhichOneof("kind") in _METRIC_SERVERS


def _names() -> dict[str, str]:
    names = {"port": "port", "max_rate": "max_rate", "recipients": "test_recipient"}
    for root in ("target", "draft"):
        for name in LABELS:
            field = FORM_NAMES.get(name, name)
            names[f"{root}.{name}"] = field
            names |= {f"{root}.{kind}.{name}": field for kind in _KINDS}
    return names


NAMES: Final[Mapping[str, str]] = MappingProxyType(_names())
"""From the paths of faults to fields of the forms."""


@dataclass(frozen=True, slots=True)
class PresetWords:
    """``title`` is how the peer calls itself, ``help`` says where to find what is asked for."""

    title: str
    help: str


PRESET_WORDS: Final[Mapping[Preset, PresetWords]] = MappingProxyType(
    {
        Preset.SLACK: PresetWords(
            "Slack", "The URL of an incoming webhook of your Slack app; it holds the secret."
        ),
        Preset.TEAMS: PresetWords(
            "Microsoft Teams",
            "The URL of a workflow: “When a Teams webhook request is received”.",
        ),
        Preset.MATTERMOST: PresetWords(
            "Mattermost", "The URL of an incoming webhook; it holds the secret."
        ),
        Preset.DISCORD: PresetWords(
            "Discord", "The webhook URL of a channel: Edit channel, Integrations, Webhooks."
        ),
        Preset.PAGERDUTY: PresetWords(
            "PagerDuty",
            "The token is the routing key of an Events API v2 integration. The URL is known; in "
            "the EU it is https://events.eu.pagerduty.com.",
        ),
        Preset.NTFY: PresetWords(
            "ntfy",
            "The URL is that of the topic, such as https://ntfy.sh/my-backups; the token, if any, "
            "an access token.",
        ),
        Preset.GOTIFY: PresetWords(
            "Gotify", "The URL is that of the server, the token that of the application."
        ),
        Preset.TWILIO_SMS: PresetWords(
            "Twilio SMS", "The token is the auth token of the account. The URL is known."
        ),
    }
)


def kind_word(target: pb.Target) -> str:
    """What a target is: ``Mail``, ``Slack``, ``Webhook``, ``InfluxDB v2``."""
    match target.WhichOneof("kind"):
        case "smtp":
            return "Mail"
        case "webhook":
            return _preset_title(target.webhook.preset) or "Webhook"
        case "influxdb":
            return "InfluxDB v2"
        case "pushgateway":
            return "Pushgateway"
        case _:
            return "Of a newer release"


def picture(target: pb.Target) -> str:
    """The name of its icon."""
    return {"smtp": "mail", "webhook": "webhook"}.get(target.WhichOneof("kind") or "", "metric")


def where(target: pb.Target) -> str:
    """Where it sends, in short: a webhook's address is often a secret, so only its host."""
    match target.WhichOneof("kind"):
        case "smtp":
            return f"{target.smtp.server}:{target.smtp.port}"
        case "webhook":
            return _host(target.webhook.url)
        case "influxdb":
            return f"{_host(target.influxdb.url)}, {target.influxdb.bucket}"
        case "pushgateway":
            return f"{_host(target.pushgateway.url)}, {target.pushgateway.job}"
        case _:
            return ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return ""


def _preset_title(number: pb.WebhookPreset.ValueType) -> str:
    for preset, words in PRESET_WORDS.items():
        if number == pb.WebhookPreset.Value(f"WEBHOOK_PRESET_{preset.name}"):
            return words.title
    return ""
