"""What an entry says of a thing before and after: what differs, in JSON, of bounded size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
"""What JSON can say of a thing. Whoever makes one leaves out its secrets."""

SET = "(set)"
"""How a secret that there is reads."""
MAX_TEXT = 1_000
"""Characters of one text, such as a template; of a longer one is kept how it begins."""
MAX_JSON = 16_384
"""Characters of a whole document; of a larger one are kept the names of its fields."""
_BEGINNING = 200


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret that there is, in a document: equal to another one where it is the same still.

    It is ``(set)`` as soon as the document is written; on both sides where it was replaced.
    """

    ciphertext: bytes = field(repr=False)


def written(document: Document | None) -> str:
    """The document as JSON, its names sorted; what is too long gives way to its SHA-256."""
    if document is None:
        return ""
    text = _json(_shortened(document))
    if len(text) <= MAX_JSON:
        return text
    return _json({"(too long)": _measure(text), "(fields)": sorted(document)[:100]})


def difference(before: Document, after: Document) -> tuple[Document, Document]:
    """What each says that the other does not, field by field.

    Of a list of objects, such as subscriptions, these are the objects that the other has not; any
    other list is kept whole.
    """
    only_before: dict[str, Any] = {}
    only_after: dict[str, Any] = {}
    for name in sorted({*before, *after}):
        former, latter = before.get(name), after.get(name)
        if former == latter:
            continue
        if isinstance(former, Mapping) and isinstance(latter, Mapping):
            former, latter = difference(former, latter)
        elif isinstance(former, list) and isinstance(latter, list) and _are_objects(former, latter):
            former, latter = _others(former, latter), _others(latter, former)
        if name in before:
            only_before[name] = former
        if name in after:
            only_after[name] = latter
    return only_before, only_after


def _are_objects(*lists: list[Any]) -> bool:
    return all(isinstance(each, Mapping) for values in lists for each in values)


def _others(these: list[Any], those: list[Any]) -> list[Any]:
    """Those of ``these`` that are not among ``those``; all of them where only the order changed."""
    others = [each for each in these if each not in those]
    return others if others or any(each not in these for each in those) else these


def _shortened(value: Any) -> Any:
    if isinstance(value, Sealed):
        return SET
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:_BEGINNING]}… ({_measure(value)})"
    if isinstance(value, Mapping):
        return {name: _shortened(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(each) for each in value]
    return value


def _measure(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{len(text)} characters, SHA-256 {digest}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
