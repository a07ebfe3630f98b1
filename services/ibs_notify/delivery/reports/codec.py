"""Reports as they are stored: JSON of frozen dataclasses, driven by the types of their fields.

A field that the stored text does not have gets its default, and one that the class does not have is
passed over, so that a report outlives an upgrade and one step back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ibs_notify.domain.clock import from_micros, to_micros

T = TypeVar("T")
_NAMED = re.compile(rb'\{"([a-z.-]+)":')
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def pack(name: str, report: Any) -> bytes:
    """A report under its ``name``, of letters, dots and dashes; see ``to_json``."""
    return f'{{"{name}":{to_json(report)}}}'.encode("utf-8", errors="replace")


def name_of(stored: bytes) -> str:
    """The name of what ``pack`` gave; empty for anything else, such as any protobuf of an event."""
    named = _NAMED.match(stored)
    return named[1].decode() if named is not None else ""


def unpack(name: str, kind: type[T], stored: bytes) -> T:
    """The dataclass ``kind`` of what ``pack`` gave. Raises ValueError where it is none."""
    try:
        value: T = _typed(kind, json.loads(stored)[name])
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a stored {kind.__name__}") from error
    return value


def to_json(value: Any) -> str:
    """Compact JSON of a dataclass of texts, numbers, enums, moments, spans and tuples of these."""
    return _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return to_micros(value)
        case timedelta():
            return value // timedelta(microseconds=1)
        case IntEnum():
            return value.value
        case tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            return value


def _typed(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], each) for each in value)
    if isinstance(kind, type) and is_dataclass(kind):
        given = {
            name: _typed(field, value[name])
            for name, field in _fields_of(kind).items()
            if name in value
        }
        return kind(**given)
    if kind is datetime:
        return from_micros(value)
    if kind is timedelta:
        return timedelta(microseconds=value)
    if issubclass(kind, IntEnum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


@cache
def _fields_of(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)
