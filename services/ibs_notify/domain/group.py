"""A notification group: targets, each with a rule, and what keeps them quiet; and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ibs_notify.domain.templates import NO_TEMPLATE_SET, TemplateSet

DEFAULT_RATE_LIMIT = 60
DEFAULT_DEDUP_WINDOW = timedelta(minutes=5)
MAX_DEDUP_WINDOW = timedelta(days=7)


class Scope(StrEnum):
    """Which events a group hears at all, before its rules."""

    EVERYTHING = "everything"
    ATTACHED = "attached"
    SELECTED = "selected"


class Frequency(StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Digest:
    """``time`` is local, ``HH:MM``; ``weekday`` of ``WEEKDAYS``; an empty zone: the setting."""

    rule: str
    frequency: Frequency = Frequency.DAILY
    time: str = "09:00"
    weekday: str = "monday"
    time_zone: str = ""
    send_empty: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """One target of a group. ``recipients`` empty means the target's own."""

    uid: str
    target: str
    rule: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """``attachments`` are canonical resources; ``rate_limit`` is events a minute, 0 for none."""

    name: str
    uid: str
    description: str = ""
    scope: Scope = Scope.EVERYTHING
    attachments: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    rate_limit: int = DEFAULT_RATE_LIMIT
    dedup_window: timedelta = DEFAULT_DEDUP_WINDOW
    digest: Digest | None = None
    weekly_summary: bool = False
    revision: int = 0
    templates: TemplateSet = NO_TEMPLATE_SET


@dataclass(frozen=True, slots=True)
class InstallationSettings:
    """What holds for the whole installation, changed by ``settings update``."""

    default_recipients: tuple[str, ...] = ()
    public_url: str = ""
    time_zone: str = "UTC"
    sender: str = ""
