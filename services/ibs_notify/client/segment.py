"""How a spool's file is written: framed records that a reader finds again after any damage. Pure.

    record: MARKER · length (4 bytes) · CRC-32 of length and payload (4 bytes) · payload

The marker begins with bytes that no UTF-8 text has, so no text in an event looks like a record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias
from zlib import crc32

MARKER = b"\xff\xfeEV"
_FRAME = struct.Struct(f"<{len(MARKER)}sII")
_LENGTH = struct.Struct("<I")
OVERHEAD = _FRAME.size


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record; ``end`` is where the next one begins."""

    payload: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes up to ``end`` that are no record: changed on the disk, or not written whole."""

    end: int


Found: TypeAlias = Record | Damage


def frame(payload: bytes) -> bytes:
    """A record of ``payload``, which is not empty."""
    return _FRAME.pack(MARKER, len(payload), _checksum(payload)) + payload


def read(data: bytes, at: int) -> Found | None:
    """What is at ``at`` of ``data``, which reaches to the end of the file; None at its end."""
    if at >= len(data):
        return None
    return _record(data, at) or Damage(_next_record(data, at))


def _record(data: bytes, at: int) -> Record | None:
    if len(data) - at < OVERHEAD:
        return None
    marker, length, checksum = _FRAME.unpack_from(data, at)
    begin = at + OVERHEAD
    end = begin + length
    if marker != MARKER or not length or end > len(data):
        return None
    payload = data[begin:end]
    return Record(payload, end) if _checksum(payload) == checksum else None


def _next_record(data: bytes, at: int) -> int:
    """Where the first whole record after ``at`` begins, or else the end."""
    found = at
    while (found := data.find(MARKER, found + 1)) != -1:
        if _record(data, found) is not None:
            return found
    return len(data)


def _checksum(payload: bytes) -> int:
    return crc32(payload, crc32(_LENGTH.pack(len(payload))))
