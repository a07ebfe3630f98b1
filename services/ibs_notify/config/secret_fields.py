"""Where a target's message holds secrets: taking them out, and showing which are stored."""

from __future__ import annotations

from collections.abc import Collection

from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    header_secret,
)
from ironcore.notification.v1.target_pb2 import Target


def take_secrets(target: Target) -> dict[str, str]:
    """The secrets that a message gives, by field; the message is left without any."""
    given: dict[str, str] = {}
    match target.WhichOneof("kind"):
        case "smtp":
            given[SMTP_PASSWORD] = target.smtp.password
            target.smtp.password = ""
        case "webhook":
            for header in target.webhook.headers:
                given[header_secret(header.name)] = header.value
                header.value = ""
            given[WEBHOOK_TOKEN] = target.webhook.token
            given[WEBHOOK_SIGNING_SECRET] = target.webhook.signing_secret
            target.webhook.token = target.webhook.signing_secret = ""
        case "influxdb":
            given[INFLUXDB_TOKEN] = target.influxdb.token
            target.influxdb.token = ""
        case "pushgateway":
            given[PUSHGATEWAY_PASSWORD] = target.pushgateway.password
            given[PUSHGATEWAY_BEARER_TOKEN] = target.pushgateway.bearer_token
            target.pushgateway.password = target.pushgateway.bearer_token = ""
        case None:
            pass
    return {field: secret for field, secret in given.items() if secret}


def show_stored(target: Target, stored: Collection[str]) -> None:
    """Set each ``*_set`` flag of a message to whether its field is among ``stored``."""
    match target.WhichOneof("kind"):
        case "smtp":
            target.smtp.password_set = SMTP_PASSWORD in stored
        case "webhook":
            for header in target.webhook.headers:
                header.value_set = header_secret(header.name) in stored
            target.webhook.token_set = WEBHOOK_TOKEN in stored
            target.webhook.signing_secret_set = WEBHOOK_SIGNING_SECRET in stored
        case "influxdb":
            target.influxdb.token_set = INFLUXDB_TOKEN in stored
        case "pushgateway":
            target.pushgateway.password_set = PUSHGATEWAY_PASSWORD in stored
            target.pushgateway.bearer_token_set = PUSHGATEWAY_BEARER_TOKEN in stored
        case None:
            pass
