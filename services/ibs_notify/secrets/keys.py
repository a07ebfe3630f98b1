"""The keyring in force: read when it is first needed, and again when its source has changed."""

from __future__ import annotations

import logging
from collections.abc import Hashable

from ibs_notify.domain.errors import NotificationError
from ibs_notify.secrets.envelope import Keyring
from ibs_notify.secrets.key_source import KeySource

log = logging.getLogger(__name__)


class Keys:
    """A key that somebody else put into the file is there for whoever asks next, without a restart.

    Asking costs a look at the file's status. Where a changed file cannot be used, the keys that
    were read before stay in use, and the log says so once; it is tried again whenever keys are
    asked for, since what is wrong may be around it, such as too many open files.
    """

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._ring: Keyring | None = None
        self._version: Hashable = None
        self._told_of: Hashable = ()

    @property
    def current(self) -> Keyring:
        """The keys. Raises FailedPrecondition where none could ever be read."""
        version = self.source.version()
        if self._ring is not None and version == self._version:
            return self._ring
        try:
            self._ring = Keyring(self.source.read())
        except NotificationError as error:
            if self._ring is None:
                raise
            if version != self._told_of:
                log.error("the keys that were read before stay in use: %s", error)
                self._told_of = version
            return self._ring
        self._version, self._told_of = version, ()
        return self._ring
