"""Where a webhook's requests go, and what its peer knows us by. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from ibs_notify.domain.preset import Preset
from ibs_notify.domain.target import WebhookSpec


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the requests; ``topic`` is what an ntfy address names."""

    url: str
    topic: str = ""


def endpoint_of(spec: WebhookSpec) -> Endpoint:
    """The endpoint of a target: of a preset, its API's path is filled in where it is missing."""
    match spec.preset:
        case Preset.PAGERDUTY:
            return Endpoint(_with_path(spec.url, "/v2/enqueue"))
        case Preset.TWILIO_SMS:
            path = f"/2010-04-01/Accounts/{spec.account}/Messages.json"
            return Endpoint(_with_path(spec.url, path))
        case Preset.GOTIFY:
            parts = urlsplit(spec.url)
            path = parts.path.rstrip("/")
            path = path if path.endswith("/message") else f"{path}/message"
            return Endpoint(urlunsplit(parts._replace(path=path)))
        case Preset.NTFY:
            # The JSON form of its API goes to the root and names the topic in the body.
            parts = urlsplit(spec.url)
            above, _, topic = parts.path.rstrip("/").rpartition("/")
            return Endpoint(urlunsplit(parts._replace(path=f"{above}/")), unquote(topic))
        case Preset.SLACK | Preset.TEAMS | Preset.MATTERMOST | Preset.DISCORD | None:
            return Endpoint(spec.url)


def credentials_of(spec: WebhookSpec, token: str) -> Mapping[str, str]:
    """The headers by which a preset's peer knows us. PagerDuty's key is in the body instead."""
    match spec.preset:
        case Preset.GOTIFY:
            return {"X-Gotify-Key": token}
        case Preset.NTFY if token:
            return {"Authorization": f"Bearer {token}"}
        case Preset.TWILIO_SMS:
            pair = base64.b64encode(f"{spec.account}:{token}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        case _:
            return {}


def _with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=path))
