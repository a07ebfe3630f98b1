"""Key files for tests."""

from __future__ import annotations

from pathlib import Path

from ibs_notify.secrets.envelope import Keyring
from ibs_notify.secrets.key_file import Key
from ibs_notify.secrets.key_source import FileSource
from ibs_notify.secrets.keys import Keys
from ibs_notify.settings import Settings
from tests.support.config import START


def key_path(settings: Settings) -> Path:
    """The key file of an installation that has one."""
    return Path(settings.key_source)


def load(path: Path) -> Keyring:
    """The keyring of an existing key file."""
    return Keyring(FileSource(path).read())


def load_or_create(path: Path) -> Keyring:
    """The keyring of ``path``; where there is no such file, one is made with one new key."""
    FileSource(path).create(Key.generate(START))
    return load(path)


def keys_of(path: Path) -> Keys:
    """The keys of a file that may be there later."""
    return Keys(FileSource(path))
