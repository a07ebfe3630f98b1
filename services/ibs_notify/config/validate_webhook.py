"""Whether a webhook may be saved: every bad field is named. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from ibs_notify.config import syntax
from ibs_notify.config.faults import Faults
from ibs_notify.config.validate_templates import check_webhook_templates
from ibs_notify.domain.preset import NEEDS, PRESET_FIELDS, Preset, PresetNeeds, Token
from ibs_notify.domain.signing_secret import signing_key
from ibs_notify.domain.target import WEBHOOK_SIGNING_SECRET, WEBHOOK_TOKEN, header_secret
from ironcore.notification.v1 import target_pb2 as pb

MAX_HEADERS = 32
_METHODS = ("POST", "PUT", "PATCH")
_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
_PRESETS: Final = {pb.WebhookPreset.Value(f"WEBHOOK_PRESET_{each.name}"): each for each in Preset}
_NO_PRESET: Final = PresetNeeds()


def fill_webhook_defaults(webhook: pb.WebhookTarget) -> None:
    """Write the API's defaults where nothing was given; a preset's content type in any case."""
    webhook.method = webhook.method.upper() or "POST"
    preset = _PRESETS.get(webhook.preset)
    if preset is None:
        webhook.content_type = webhook.content_type or "application/json"
    else:
        webhook.content_type = NEEDS[preset].content_type
        webhook.url = webhook.url or NEEDS[preset].url


def check_webhook(
    webhook: pb.WebhookTarget, given: Mapping[str, str], faults: Faults, path: str
) -> None:
    """Add every fault; ``given`` are the secrets of the request, by field."""
    faults.add(f"{path}.url", syntax.url_problem(webhook.url))
    if webhook.method not in _METHODS:
        faults.add(f"{path}.method", f"is none of {', '.join(_METHODS)}")
    _check_headers(webhook.headers, given, faults, f"{path}.headers")
    _check_preset(webhook, given, faults, path)
    if problem := syntax.text_problem(webhook.content_type, 256):
        faults.add(f"{path}.content_type", problem)
    else:
        check_webhook_templates(webhook, faults, path)
    faults.add(f"{path}.signing_secret", _signing_problem(given.get(WEBHOOK_SIGNING_SECRET, "")))
    faults.add(f"{path}.ca_pem", syntax.pem_problem(webhook.ca_pem))


def _check_headers(
    headers: Sequence[pb.Header], given: Mapping[str, str], faults: Faults, path: str
) -> None:
    if len(headers) > MAX_HEADERS:
        faults.add(path, f"has {len(headers)} headers; at most {MAX_HEADERS}")
    seen: set[str] = set()
    for index, header in enumerate(headers):
        where = f"{path}[{index}]"
        faults.add(f"{where}.name", syntax.header_name_problem(header.name))
        if header.name.lower() in seen:
            faults.add(f"{where}.name", "is there twice; names are compared without case")
        seen.add(header.name.lower())
        value = given.get(header_secret(header.name), "")
        faults.add(f"{where}.value", syntax.header_value_problem(value))


def _check_preset(
    webhook: pb.WebhookTarget, given: Mapping[str, str], faults: Faults, path: str
) -> None:
    preset = _PRESETS.get(webhook.preset)
    if webhook.preset and preset is None:
        faults.add(f"{path}.preset", f"no preset has the number {webhook.preset}")
        return
    needs = _NO_PRESET if preset is None else NEEDS[preset]
    for name in PRESET_FIELDS:
        _check_field(name, getattr(webhook, name), needs, faults, f"{path}.{name}")
    token = given.get(WEBHOOK_TOKEN, "")
    if token and needs.token is Token.NONE:
        faults.add(f"{path}.token", f"is not used {_by(preset)}; use a header for it")
    faults.add(f"{path}.token", syntax.header_value_problem(token))
    if preset is not None:
        _check_form(preset, webhook, faults, path)


def _check_form(preset: Preset, webhook: pb.WebhookTarget, faults: Faults, path: str) -> None:
    if webhook.method != "POST":
        faults.add(f"{path}.method", f"must be POST with the preset {preset}")
    if preset is Preset.PAGERDUTY:
        for name in ("body_template", "digest_body_template"):
            problem = "is not for the preset pagerduty, whose body holds the routing key"
            faults.add(f"{path}.{name}", problem if getattr(webhook, name) else "")
    if preset is Preset.NTFY and not syntax.url_problem(webhook.url):
        topic = urlsplit(webhook.url).path.rstrip("/").rpartition("/")[2]
        if not _TOPIC.fullmatch(topic):
            faults.add(f"{path}.url", "names no topic", "such as https://ntfy.sh/my-backups")


def _check_field(name: str, value: str, needs: PresetNeeds, faults: Faults, path: str) -> None:
    if name not in needs.fields:
        faults.add(path, "is for the preset twilio-sms only" if value else "")
        return
    pattern, what = needs.fields[name]
    if not pattern.fullmatch(value):
        faults.add(path, f"is not {what}" if value else f"is missing: {what}")


def _by(preset: Preset | None) -> str:
    return "without a preset" if preset is None else f"by the preset {preset}"


def _signing_problem(secret: str) -> str:
    if not secret:
        return ""
    try:
        signing_key(secret)
    except ValueError as error:
        return str(error)
    return ""
