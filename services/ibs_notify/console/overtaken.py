"""A form that somebody else has overtaken: whose value counts, field by field. Pure.

A form carries what it was opened with. So what its visitor left alone is told from what was changed
in it, and what two people changed differently from what only one of them did.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from ibs_notify.console.forms import Faults
from ibs_notify.domain.errors import Reason
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import Target

TAKE = "take"
"""The button that takes what is stored of a field; its value is the key."""

_UNKNOWN: Final = object()
"""What nothing equals."""
Opened = TypeVar("Opened", bound=Message)
Value: TypeAlias = Callable[[str], object]
"""What a form or what is stored has of a key."""


class Whose(StrEnum):
    """Whose value of a field is to be stored."""

    STORED = "STORED"
    """The form left it alone, or has the same."""
    MINE = "MINE"
    """Only the form changed it."""
    BOTH = "BOTH"
    """Somebody else changed it too, to something else: that has to be chosen."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that both changed: what is stored now, and what was written. ``key`` names it."""

    key: str
    label: str
    stored: str
    written: str


def whose(opened: object, mine: object, stored: object) -> Whose:
    """Of the values of a field when the form was opened, in the form, and now."""
    if mine in (opened, stored):
        return Whose.STORED
    return Whose.MINE if stored == opened else Whose.BOTH


@dataclass(frozen=True, slots=True)
class Division:
    """Of which keys the stored value counts, ``kept``; of these ``theirs`` only somebody else
    changed. ``both`` are those that both did.
    """

    kept: Sequence[str]
    both: Sequence[str]
    theirs: Sequence[str]


def divide(keys: Iterable[str], opened: Value | None, mine: Value, stored: Value) -> Division:
    """Each key by its values in the three; where it is not known what the form was opened with,
    both changed all that differs.
    """
    kept, both, theirs = [], [], []
    for key in keys:
        before = _UNKNOWN if opened is None else opened(key)
        now = stored(key)
        match whose(before, mine(key), now):
            case Whose.STORED:
                kept.append(key)
                if before not in (now, _UNKNOWN):
                    theirs.append(key)
            case Whose.BOTH:
                both.append(key)
            case Whose.MINE:
                pass
    return Division(kept, both, theirs)


def carried(opened: Message) -> str:
    """What a form is opened with, as text for a field that nobody sees; nothing in it is secret."""
    return b64encode(opened.SerializeToString(deterministic=True)).decode()


def opened_with(text: str, kind: type[Opened]) -> Opened | None:
    """What ``carried`` wrote; None where it did not."""
    if not text:
        return None
    try:
        return kind.FromString(b64decode(text, validate=True))
    except (binascii.Error, ValueError, DecodeError):
        return None


def faults_of_overtaken(stored: Group | Target) -> Faults:
    """What stands above a form in which something has to be chosen."""
    return Faults(
        summary=f"{stored.name} was changed by {_who(stored)} meanwhile; nothing is saved yet.",
        advice="Choose below whose is to be stored, and save again.",
        reason=Reason.ETAG_MISMATCH,
    )


def kept_of(stored: Group | Target, labels: str) -> str:
    """That what somebody else changed meanwhile, the fields with those labels, is kept."""
    return f"{_who(stored)} changed it meanwhile, and that is kept: {labels}."


def _who(stored: Group | Target) -> str:
    return stored.updated_by or "somebody else"
