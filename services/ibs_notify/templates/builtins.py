"""The built-in templates, as people may read them and begin from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ibs_notify.domain.preset import Preset
from ibs_notify.templates.mail import builtin_text
from ibs_notify.templates.preset_body import preset_text


@dataclass(frozen=True, slots=True)
class Builtin:
    """``name`` such as ``mail.html`` or ``preset.slack``."""

    name: str
    description: str
    text: str


def builtins() -> list[Builtin]:
    """All of them, in order of name."""
    return sorted((*_mail(), *_presets()), key=lambda each: each.name)


def _mail() -> Iterator[Builtin]:
    for part, what in (("subject", "the subject"), ("text", "the text"), ("html", "the HTML")):
        yield Builtin(f"mail.{part}", f"{what} of a mail", builtin_text(part))
    for report, of in (("digest", "a digest"), ("weekly", "a weekly summary")):
        for part, what in (("text", "the text"), ("html", "the HTML")):
            text = builtin_text(f"{report}_{part}")
            yield Builtin(f"mail.{report}-{part}", f"{what} of a mail with {of}", text)


def _presets() -> Iterator[Builtin]:
    for preset in Preset:
        yield Builtin(f"preset.{preset}", f"the body for --preset {preset}", preset_text(preset))
