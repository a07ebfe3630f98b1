"""What a preset's peer is sent: a template for each, as its API wants it."""

from __future__ import annotations

from functools import cache
from importlib import resources

from ibs_notify.domain.preset import NEEDS, Preset
from ibs_notify.templates.body import BodyTemplate, compile_body


def preset_text(preset: Preset) -> str:
    """The built-in template of ``preset``."""
    suffix = "json" if NEEDS[preset].content_type == "application/json" else "j2"
    place = resources.files("ibs_notify.templates") / "builtin" / "presets"
    return (place / f"{preset}.{suffix}").read_text(encoding="utf-8")


@cache
def preset_body(preset: Preset) -> BodyTemplate:
    """The body that ``preset_text`` describes."""
    return compile_body(preset_text(preset), NEEDS[preset].content_type)
