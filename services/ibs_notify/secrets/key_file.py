"""The key file: text, mode 0600, one key a line, newest first.

::

    ibs-notify-keys v1
    k-3f9a01c2 kWq…=        id, and 32 random bytes in base64
"""

from __future__ import annotations

import base64
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ibs_notify.domain.errors import FailedPrecondition, Reason

KEY_BYTES: Final = 32
_HEADER: Final = "ibs-notify-keys v1"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A key-encryption key; ``material`` is ``KEY_BYTES`` long and never printed."""

    key_id: str
    material: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Key:
        return cls(f"k-{os.urandom(4).hex()}", os.urandom(KEY_BYTES))


def create(path: Path) -> None:
    """Write a key file with one new key; leave an existing one as it is.

    The file appears under its name complete or not at all: it is written beside it, synced, and
    linked, and a link does not replace what is there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        _write_private(draft, _format((Key.generate(),)))
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def read(path: Path) -> tuple[Key, ...]:
    """The keys of ``path``, newest first.

    Raises FailedPrecondition when it is missing, malformed, or group or others have any access.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _unusable(
            path, "does not exist", "copy it from where Config runs, or restore it from a backup"
        ) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise _unusable(path, f"cannot be read: {reason}", "check its owner and mode") from None
    try:
        _require_private(path, os.fstat(descriptor))
        content = os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)
    return _parse(path, content)


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "is not a regular file", "name the file itself")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise _unusable(path, f"may be used by others (mode {mode:04o})", f"run: chmod 600 {path}")


def _parse(path: Path, content: bytes) -> tuple[Key, ...]:
    restore = "restore it from a backup; without it no stored secret can be read"
    lines = content.decode("ascii", errors="replace").splitlines()
    if not lines or lines[0].strip() != _HEADER:
        raise _unusable(path, f"does not begin with {_HEADER!r}", restore)
    keys: list[Key] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or line.startswith("#"):
            continue
        key = _parse_line(line)
        if key is None or key.key_id in {known.key_id for known in keys}:
            raise _unusable(path, f"has no valid key in line {number}", restore)
        keys.append(key)
    if not keys:
        raise _unusable(path, "holds no key", restore)
    return tuple(keys)


def _parse_line(line: str) -> Key | None:
    key_id, _, encoded = line.strip().partition(" ")
    try:
        material = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:  # binascii's among them
        return None
    if _KEY_ID.fullmatch(key_id) is None or len(material) != KEY_BYTES:
        return None
    return Key(key_id, material)


def _format(keys: tuple[Key, ...]) -> bytes:
    lines = [f"{key.key_id} {base64.b64encode(key.material).decode()}" for key in keys]
    return "\n".join((_HEADER, *lines, "")).encode()


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, fault: str, advice: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.INTERNAL, f"the key file {path} {fault}", advice=advice)
