"""What differs between two JSON documents, as the audit log keeps them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SET = "(set)"
"""What stands for a secret."""


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` or ``new`` is None where the path is not in that document."""

    path: str
    old: str | None
    new: str | None

    @property
    def replaces_secret(self) -> bool:
        """Whether one that nobody is shown took the place of another."""
        return self.old == self.new == SET


def changes(before: str, after: str) -> Iterator[Change]:
    """Each value of either document, by its path, ordered by that. What is no JSON is one value."""
    former, latter = _flat(before), _flat(after)
    for path in sorted({*former, *latter}):
        yield Change(path, former.get(path), latter.get(path))


def _flat(text: str) -> dict[str, str]:
    """Every value of a document as text, by the path to it."""
    try:
        whole = json.loads(text) if text else {}
    except ValueError:
        whole = text  # no document: of a later release, or not as it was written
    return dict(_values(whole, ""))


def _values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _values(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, str):
        yield path, value
    elif value != {}:
        yield path, json.dumps(value, ensure_ascii=False)
