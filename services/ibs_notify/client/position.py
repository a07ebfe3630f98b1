"""Up to where a spool was acknowledged: two slots of a file, written in turn and synced.

A power cut while one is written leaves the other, which is one batch older: that batch is sent
again, and answered as a duplicate.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from zlib import crc32

from ibs_notify.client.buffer import START, Mark

_SLOT_BYTES = 512
"""A disk writes this many at once or not at all; more than one slot never is in a write."""
_CONTENT = struct.Struct("<QQQ")
_CHECKSUM = struct.Struct("<I")
_USED = _CONTENT.size + _CHECKSUM.size


class Position:
    """The newest mark that was saved to ``path``; ``START`` in a new file. ``OSError`` as it is."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = os.pread(self._file, 2 * _SLOT_BYTES, 0)
        slots = (_read(data[:_USED]), _read(data[_SLOT_BYTES : _SLOT_BYTES + _USED]))
        self._count, self.mark = max(slots)

    def save(self, mark: Mark) -> None:
        """Return when ``mark`` is on disk."""
        self._count += 1
        content = _CONTENT.pack(self._count, *mark)
        slot = content + _CHECKSUM.pack(crc32(content))
        os.pwrite(self._file, slot.ljust(_SLOT_BYTES, b"\0"), self._count % 2 * _SLOT_BYTES)
        os.fdatasync(self._file)
        self.mark = mark

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read(slot: bytes) -> tuple[int, Mark]:
    if len(slot) < _USED:
        return 0, START
    content, checksum = slot[: _CONTENT.size], slot[_CONTENT.size :]
    if crc32(content) != _CHECKSUM.unpack(checksum)[0]:
        return 0, START
    count, segment, offset = _CONTENT.unpack(content)
    return count, Mark(segment, offset)
