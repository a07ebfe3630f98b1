"""Targets and groups as owners of templates: alike, whatever the API calls their fields."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ironcore.notification.v1.group_pb2 import Group, GroupTemplates
from ironcore.notification.v1.target_pb2 import Target, WebhookPreset

MAIL_PARTS = ("subject", "text", "html")
WEBHOOK_PARTS = ("body",)
DIGEST = "digest_"


@dataclass(frozen=True, slots=True)
class Owner:
    """``templates`` are its own. ``parts`` are those it may have, without those of digests.

    ``kind`` is target or group; ``medium`` smtp, webhook or, of a group, both; ``targets`` those of
    a group; ``preset`` the word of a webhook's preset.
    """

    kind: str
    name: str
    etag: str
    medium: str
    templates: GroupTemplates
    targets: tuple[str, ...] = ()
    preset: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        match self.medium:
            case "smtp":
                return MAIL_PARTS
            case "webhook":
                return WEBHOOK_PARTS
            case _:
                return (*MAIL_PARTS, *WEBHOOK_PARTS)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of its templates: ``text``, ``digest_text``."""
        return (*self.parts, *(f"{DIGEST}{part}" for part in self.parts))

    @property
    def own(self) -> tuple[str, ...]:
        """The fields that it has a template of."""
        return tuple(each for each in self.fields if getattr(self.templates, each))

    def shared(self, other: Owner) -> tuple[str, ...]:
        """Those of its own that ``other`` could have as well."""
        return tuple(each for each in self.own if each in other.fields)

    def seen_as(self, etag: str) -> Owner:
        """The same as a form goes on with it that was made when ``etag`` was in force."""
        return replace(self, etag=etag)

    def path(self, field: str) -> str:
        """What an update mask calls a field: ``smtp.text_template``, ``templates.text``."""
        return f"templates.{field}" if self.kind == "group" else f"{self.medium}.{field}_template"

    def changed(self, wanted: GroupTemplates) -> list[str]:
        """The fields in which ``wanted`` differs, by more than line ends: browsers change those."""
        return [
            each
            for each in self.fields
            if getattr(wanted, each) != getattr(self.templates, each).replace("\r\n", "\n")
        ]


def owner_of_target(target: Target) -> Owner | None:
    """None for a metric server, which has no templates."""
    templates = GroupTemplates()
    medium = target.WhichOneof("kind") or ""
    if medium not in ("smtp", "webhook"):
        return None
    spec = target.smtp if medium == "smtp" else target.webhook
    for part in MAIL_PARTS if medium == "smtp" else WEBHOOK_PARTS:
        for field in (part, f"{DIGEST}{part}"):
            setattr(templates, field, getattr(spec, f"{field}_template"))
    preset = preset_word(target.webhook.preset) if medium == "webhook" else ""
    return Owner("target", target.name, target.etag, medium, templates, preset=preset)


def owner_of_group(group: Group) -> Owner:
    """Every group may have templates of all kinds."""
    targets = tuple(each.target for each in group.subscriptions)
    return Owner("group", group.name, group.etag, "both", group.templates, targets)


def preset_word(preset: int) -> str:
    """``twilio-sms`` of ``WEBHOOK_PRESET_TWILIO_SMS``; nothing without a preset."""
    try:
        name = WebhookPreset.Name(WebhookPreset.ValueType(preset))
    except ValueError:
        return f"{preset}"  # of a newer release
    word = name.removeprefix("WEBHOOK_PRESET_").lower().replace("_", "-")
    return "" if word == "unspecified" else word
