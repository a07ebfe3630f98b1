"""Where the keys come from: a file, a variable of the environment, or a credential of systemd.

The setting ``key_file`` names it: a path, ``env:NAME`` or ``credential:NAME``. The content is that
of a key file each time; a variable may hold it in base64, on one line. We change a file only.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from ibs_notify.domain.errors import InvalidArgument, Reason, Unavailable
from ibs_notify.secrets import key_file
from ibs_notify.secrets.key_file import Key

ENVIRONMENT_PREFIX: Final = "env:"
CREDENTIAL_PREFIX: Final = "credential:"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_.@-]+")


class SourceKind(StrEnum):
    """As ``keys list`` shows it."""

    FILE = "file"
    ENVIRONMENT = "environment"
    CREDENTIAL = "credential"


class KeySource(Protocol):
    """Keys, newest first. ``str`` of it names it in a message."""

    @property
    def kind(self) -> SourceKind:
        """Which one it is."""
        ...

    def version(self) -> Hashable:
        """Another value where the keys may be others than before; ``None`` where there are none."""
        ...

    def read(self) -> tuple[Key, ...]:
        """The keys. Raises FailedPrecondition where they are missing, malformed or not private."""
        ...


class FileSource:
    """A key file, which can be made and changed. Other processes may do so as well."""

    kind = SourceKind.FILE

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return f"the key file {self._path}"

    def version(self) -> Hashable:
        return _stat(self._path)

    def read(self) -> tuple[Key, ...]:
        return key_file.read(self._path)

    def create(self, key: Key) -> None:
        """Make the file with ``key`` where there is none. Raises Unavailable where that fails."""
        try:
            key_file.create(self._path, key)
        except OSError as error:
            raise Unavailable(
                Reason.STORAGE_UNAVAILABLE,
                f"{self} cannot be made: {error.strerror}",
                advice="give Config's account its directory, or say with key_file where else",
            ) from error

    def change(self, decide: Callable[[tuple[Key, ...]], Sequence[Key]]) -> None:
        """Replace the keys by what ``decide`` makes of them, while nobody else changes them.

        The file is as before where it decides on the same keys. Raises FailedPrecondition where its
        keys cannot be used, Unavailable where it cannot be replaced.
        """
        path = self._path.resolve()
        with self._changing(path):
            before = key_file.read(path)
            after = tuple(decide(before))
            if after != before:
                key_file.replace(path, after)

    def require_changeable(self) -> None:
        """Raises as ``change`` does where there is no room or no right to change the file."""
        path = self._path.resolve()
        with self._changing(path):
            key_file.rehearse(path)

    @contextmanager
    def _changing(self, path: Path) -> Iterator[None]:
        try:
            with key_file.locked(path):
                key_file.remove_drafts(path)
                yield
        except OSError as error:
            raise Unavailable(
                Reason.STORAGE_UNAVAILABLE,
                f"{self} cannot be changed: {error.strerror}",
                advice="give Config's account its directory, or change it by hand and rotate with "
                "--keep-newest",
            ) from error


class CredentialSource:
    """A file that systemd hands over (``LoadCredential=``): not to be changed."""

    kind = SourceKind.CREDENTIAL

    def __init__(self, name: str) -> None:
        if _CREDENTIAL.fullmatch(name) is None:
            raise _malformed(f"{CREDENTIAL_PREFIX}{name}", "a credential's name")
        self._name = name

    def __str__(self) -> str:
        return f"the credential {self._name}"

    def version(self) -> Hashable:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        return _stat(Path(directory) / self._name) if directory else None

    def read(self) -> tuple[Key, ...]:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise key_file.unusable(
                str(self),
                "is not there: CREDENTIALS_DIRECTORY is not set",
                f"add LoadCredential={self._name}:PATH to the unit",
            )
        return key_file.read(Path(directory) / self._name, group_may_read=True)


class EnvironmentSource:
    """A variable, which is read once and taken out of the environment, so no child inherits it."""

    kind = SourceKind.ENVIRONMENT

    def __init__(self, name: str) -> None:
        if _VARIABLE.fullmatch(name) is None:
            raise _malformed(f"{ENVIRONMENT_PREFIX}{name}", "a variable's name")
        self._name = name
        self._keys: tuple[Key, ...] = ()

    def __str__(self) -> str:
        return f"the variable {self._name}"

    def version(self) -> Hashable:
        return self._name

    def read(self) -> tuple[Key, ...]:
        if not self._keys:
            content = os.environ.pop(self._name, "").encode()
            if not content:
                raise key_file.unusable(
                    str(self), "is not set, or empty", "give it the content of the key file"
                )
            self._keys = key_file.parse(_decoded(content), str(self))
        return self._keys


def key_source(name: str) -> FileSource | CredentialSource | EnvironmentSource:
    """The source that the setting ``key_file`` names. Raises InvalidArgument for a bad name."""
    if name.startswith(ENVIRONMENT_PREFIX):
        return EnvironmentSource(name.removeprefix(ENVIRONMENT_PREFIX))
    if name.startswith(CREDENTIAL_PREFIX):
        return CredentialSource(name.removeprefix(CREDENTIAL_PREFIX))
    return FileSource(Path(name))


def _decoded(content: bytes) -> bytes:
    if content.startswith(key_file.HEADER.encode()):
        return content
    try:
        return base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        return content  # the parser says what is wrong


def _stat(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _malformed(name: str, what: str) -> InvalidArgument:
    return InvalidArgument(Reason.FIELD_INVALID, f"key_file {name!r} does not name {what}")
