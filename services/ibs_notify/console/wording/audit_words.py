"""What an entry of the audit log changed, as a person would say it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ibs_notify.console.wording.field_names import field_name
from ibs_notify.domain.document_changes import Change

_INWARD = ("uid", "name")
"""What the entry's subject says already, or only services need."""
_HEADER = "headers."


@dataclass(frozen=True, slots=True)
class Said:
    """``label`` was ``old`` and is ``new``; None where it was not or is not there any more."""

    label: str
    old: str | None
    new: str | None
    replaces_secret: bool = False


def said(changes: Iterable[Change]) -> list[Said]:
    """Each change in the words of the forms, the targets of a group one by one."""
    return [line for each in changes for line in _lines(each)]


def _lines(change: Change) -> Iterator[Said]:
    if change.path == "subscriptions":
        yield from _subscriptions(_list(change.old), _list(change.new))
    elif change.path not in _INWARD:
        old, new = _value(change.path, change.old), _value(change.path, change.new)
        yield Said(_label(change.path), old, new, change.replaces_secret)


def _subscriptions(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> Iterator[Said]:
    old = {each.get("target", ""): each for each in before}
    new = {each.get("target", ""): each for each in after}
    for target in dict.fromkeys((*old, *new)):
        for part, label in (("rule", "Rule"), ("recipients", "Recipients")):
            was, now = _part(old.get(target), part), _part(new.get(target), part)
            if was != now:
                yield Said(f"{label} of {target}", was, now)


def _part(subscription: Mapping[str, Any] | None, name: str) -> str | None:
    value = subscription.get(name) if subscription else None
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _list(text: str | None) -> list[Mapping[str, Any]]:
    found = _parsed(text)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _label(path: str) -> str:
    """``Header X-Team`` of ``webhook.headers.X-Team``, ``Digest: Time`` of ``digest.time``."""
    _, header, name = path.partition(_HEADER)
    if header:
        return f"Header {name}"
    whole, _, last = path.rpartition(".")
    return f"Digest: {field_name(last)}" if whole == "digest" else field_name(last) or "All of it"


def _value(path: str, text: str | None) -> str | None:
    """Lists without brackets, numbers of the API's enums as their words."""
    found = _parsed(text)
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return ", ".join(found)
    if isinstance(found, bool):
        return "yes" if found else "no"
    if text and text.isupper():
        _, marker, word = text.partition(f"{path.rpartition('.')[2].upper()}_")
        return word.lower().replace("_", " ") if marker else text
    return text


def _parsed(text: str | None) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
