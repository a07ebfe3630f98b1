"""What of a group's form is folded away: a line of what is set there, and when it is open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ibs_notify.console.forms import Faults
from ibs_notify.console.groups.draft import OFF, Draft
from ibs_notify.domain.group import Frequency

_LIMITS = ("rate_limit", "dedup_window")
_DIGEST = (
    "has_digest",
    "digest_rule",
    "digest_frequency",
    "digest_time",
    "digest_weekday",
    "digest_time_zone",
    "digest_send_empty",
    "weekly_summary",
)
_DEFAULTS = Draft()


@dataclass(frozen=True, slots=True)
class Fold:
    """``line`` says what is set. ``is_open``: it is not the usual, or something is wrong in it."""

    line: str
    is_open: bool


def limits(draft: Draft, faults: Faults) -> Fold:
    """``60 a minute · repeats once in 5m``."""
    rate = "no rate limit" if _is_off(draft.rate_limit) else f"{draft.rate_limit} a minute"
    window = draft.dedup_window
    repeats = "repeats are told" if _is_off(window) else f"repeats once in {window}"
    return Fold(f"{rate} · {repeats}", _is_open(draft, faults, _LIMITS))


def digest(draft: Draft, faults: Faults) -> Fold:
    """``daily digest at 09:00 · weekly summary``."""
    summary = " · weekly summary" if draft.weekly_summary else ""
    return Fold(f"{digest_words(draft)}{summary}", _is_open(draft, faults, _DIGEST))


def digest_words(draft: Draft) -> str:
    if not draft.has_digest:
        return "no digest"
    if draft.digest_frequency == Frequency.HOURLY:
        return "hourly digest"
    is_weekly = draft.digest_frequency == Frequency.WEEKLY
    day = f" on {draft.digest_weekday.capitalize()}" if is_weekly else ""
    return f"{draft.digest_frequency} digest{day} at {draft.digest_time}"


def _is_off(text: str) -> bool:
    return text.lower() in (OFF, "0")


def _is_open(draft: Draft, faults: Faults, names: Sequence[str]) -> bool:
    if not draft.has_digest and not any(map(faults.of, names)):
        # What is hidden with the digest decides nothing.
        names = [each for each in names if not each.startswith("digest_")]
    return any(
        faults.of(each) or getattr(draft, each) != getattr(_DEFAULTS, each) for each in names
    )
