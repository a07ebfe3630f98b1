"""The key file: text, mode 0600, one key a line, newest first.

::

    ibs-notify-keys v1
    k-20260521T021435Z-3f9a01c2 kWq…=        id, and 32 random bytes in base64
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from ibs_notify.domain import failpoints
from ibs_notify.domain.errors import FailedPrecondition, Reason

KEY_BYTES: Final = 32
MOST_BYTES: Final = 64 * 1024
HEADER: Final = "ibs-notify-keys v1"
LOCK_SECONDS: Final = 1.0
"""A change of the file takes some milliseconds."""
_LOCK_PAUSE_SECONDS: Final = 0.01
_DRAFT_DIGITS: Final = 16
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MADE_AT: Final = re.compile(r"k-([0-9]{8}T[0-9]{6}Z)(?:-|$)")


@dataclass(frozen=True, slots=True)
class Key:
    """A key-encryption key; ``material`` is ``KEY_BYTES`` long and never printed."""

    key_id: str
    material: bytes = field(repr=False)

    @classmethod
    def generate(cls, now: datetime) -> Key:
        """A new one. Its id says when it was made."""
        return cls(f"k-{now:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}", os.urandom(KEY_BYTES))


def made_at(key_id: str) -> str:
    """When a key was made, as its id says it: text in order of time, empty where it says none."""
    found = _MADE_AT.match(key_id)
    return found[1] if found else ""


def create(path: Path, key: Key) -> None:
    """Write a key file with ``key``; leave an existing one as it is.

    The file appears under its name complete or not at all: it is written beside it, synced, and
    linked, and a link does not replace what is there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path), _draft(path, (key,)) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    _sync_directory(path.parent)


def replace(path: Path, keys: Sequence[Key]) -> None:
    """Give an existing key file these keys, newest first, durably.

    A crash leaves the old or the new file, whole. Whoever reads it, decides and replaces it holds
    ``locked`` meanwhile. Raises FailedPrecondition where there are too many to be read again.
    """
    if len(_format(keys)) > MOST_BYTES:
        raise _unusable(path, f"has no room for {len(keys)} keys", "remove old ones: keys remove")
    with _draft(path, keys) as draft:
        _keep_owner(path, draft)
        failpoints.hit("keys.written")
        draft.replace(path)
    _sync_directory(path.parent)


def rehearse(path: Path) -> None:
    """Do all that ``replace`` does but the last step, with the keys that there are."""
    with _draft(path, read(path)) as draft:
        _keep_owner(path, draft)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the directory of a key file, so that one process at a time changes it.

    Raises OSError where another one holds it for ``LOCK_SECONDS``: whoever may read the directory
    can, and the caller has others to serve.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                reason = "another process has locked its directory"
                raise OSError(errno.EWOULDBLOCK, reason) from None
        time.sleep(_LOCK_PAUSE_SECONDS)


def read(path: Path, *, group_may_read: bool = False) -> tuple[Key, ...]:
    """The keys of ``path``, newest first.

    Raises FailedPrecondition when it is missing, malformed, or group or others have any access;
    ``group_may_read`` is for what systemd hands over, whose access list shows as the group's.
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
        _require_private(path, os.fstat(descriptor), 0o040 if group_may_read else 0)
        content = os.read(descriptor, MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MOST_BYTES:
        raise _unusable(path, f"is larger than {MOST_BYTES:,} bytes", "take old keys out of it")
    return parse(content, f"the key file {path}")


def parse(content: bytes, source: str) -> tuple[Key, ...]:
    """The keys in the text of a key file, newest first; ``source`` begins the error's message."""
    restore = "restore it from a backup; without it no stored secret can be read"
    lines = content.decode("ascii", errors="replace").splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise unusable(source, f"does not begin with {HEADER!r}", restore)
    keys: list[Key] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or line.startswith("#"):
            continue
        key = _parse_line(line)
        if key is None or key.key_id in {known.key_id for known in keys}:
            raise unusable(source, f"has no valid key in line {number}", restore)
        keys.append(key)
    if not keys:
        raise unusable(source, "holds no key", restore)
    return tuple(keys)


def unusable(source: str, fault: str, advice: str) -> FailedPrecondition:
    """The error of a ``source`` of keys that cannot be used."""
    return FailedPrecondition(Reason.INTERNAL, f"{source} {fault}", advice=advice)


def _require_private(path: Path, status: os.stat_result, allowed: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "is not a regular file", "name the file itself")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 & ~allowed:
        raise _unusable(path, f"may be used by others (mode {mode:04o})", f"run: chmod 600 {path}")


def _parse_line(line: str) -> Key | None:
    key_id, _, encoded = line.strip().partition(" ")
    try:
        material = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:  # binascii's among them
        return None
    if _KEY_ID.fullmatch(key_id) is None or len(material) != KEY_BYTES:
        return None
    return Key(key_id, material)


def _format(keys: Sequence[Key]) -> bytes:
    lines = [f"{key.key_id} {base64.b64encode(key.material).decode()}" for key in keys]
    return "\n".join((HEADER, *lines, "")).encode()


def remove_drafts(path: Path) -> None:
    """Remove what a process that was killed has left beside ``path``; ``locked`` meanwhile."""
    for draft in path.parent.glob(f".{path.name}.{'?' * _DRAFT_DIGITS}"):
        draft.unlink(missing_ok=True)


@contextmanager
def _draft(path: Path, keys: Sequence[Key]) -> Iterator[Path]:
    """A synced file beside ``path`` with these keys; what is left of it is removed."""
    draft = path.with_name(f".{path.name}.{os.urandom(_DRAFT_DIGITS // 2).hex()}")
    try:
        _write_private(draft, _format(keys))
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _keep_owner(path: Path, draft: Path) -> None:
    """Whoever replaces the file, it belongs to whom it did: Delivery must be able to read it."""
    before, after = path.stat(), draft.stat()
    if (before.st_uid, before.st_gid) != (after.st_uid, after.st_gid):
        os.chown(draft, before.st_uid, before.st_gid)


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
    return unusable(f"the key file {path}", fault, advice)
