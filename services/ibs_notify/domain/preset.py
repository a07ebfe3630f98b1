"""Presets: whose language a webhook speaks, and what has to be known for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Preset(StrEnum):
    """The peer of a webhook; the words are those of ``--preset``."""

    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"
    DISCORD = "discord"
    PAGERDUTY = "pagerduty"
    NTFY = "ntfy"
    GOTIFY = "gotify"
    TWILIO_SMS = "twilio-sms"


class Token(StrEnum):
    """Whether a preset's peer knows us by a token."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class PresetNeeds:
    """What a target with the preset takes.

    ``url`` stands in where it is not given. ``fields`` are required settings beside it, each with
    the syntax of its value and what that is called.
    """

    token: Token = Token.NONE
    url: str = ""
    content_type: str = "application/json"
    fields: Mapping[str, tuple[re.Pattern[str], str]] = field(default_factory=dict)


_NUMBER: Final = r"\+[1-9][0-9]{6,14}"
# E.164 numbers; senders may also be alphanumeric or the SID of a messaging service.
_TWILIO: Final = MappingProxyType(
    {
        "account": (re.compile(r"AC[0-9a-f]{32}"), "an account SID: AC and 32 hex digits"),
        "sender": (
            re.compile(rf"{_NUMBER}|MG[0-9a-f]{{32}}|[A-Za-z0-9 ]{{1,11}}"),
            "a number such as +15005550006, a messaging service SID or a name of 11 letters",
        ),
        "recipient": (re.compile(_NUMBER), "a number such as +491701234567"),
    }
)

NEEDS: Final[Mapping[Preset, PresetNeeds]] = MappingProxyType(
    {
        Preset.SLACK: PresetNeeds(),
        Preset.TEAMS: PresetNeeds(),
        Preset.MATTERMOST: PresetNeeds(),
        Preset.DISCORD: PresetNeeds(),
        Preset.PAGERDUTY: PresetNeeds(Token.REQUIRED, url="https://events.pagerduty.com"),
        Preset.NTFY: PresetNeeds(Token.OPTIONAL),
        Preset.GOTIFY: PresetNeeds(Token.REQUIRED),
        Preset.TWILIO_SMS: PresetNeeds(
            Token.REQUIRED,
            url="https://api.twilio.com",
            content_type="application/x-www-form-urlencoded",
            fields=_TWILIO,
        ),
    }
)
PRESET_FIELDS: Final = tuple(_TWILIO)
"""The settings of webhooks that only some presets have."""
