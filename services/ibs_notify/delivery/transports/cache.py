"""One open transport for each target: built when there is something to send, replaced with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.ports import CannotOpen
from ibs_notify.delivery.transports.base import Transport
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import InvalidArgument, NotificationError, Reason
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import Target
from ibs_notify.secrets.envelope import head_of, is_same_secret
from ibs_notify.secrets.keys import Keys
from ibs_notify.snapshot.model import Snapshot

log = logging.getLogger(__name__)

Build = Callable[[Target, Mapping[str, str], InstallationSettings, Clock], Transport]


class SecretOpener:
    """Opens sealed secrets with the keys, which are read when the first one is needed.

    Services start in any order, and it is Config that makes a key file and puts new keys into it.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def open(self, target_uid: str, sealed: Mapping[str, bytes]) -> Mapping[str, str]:
        """The secrets by field. Raises ``NotificationError`` where one cannot be opened."""
        if not sealed:
            return {}
        ring = self._keys.current
        return {
            field: ring.open(ciphertext, target_uid=target_uid, field=field)
            for field, ciphertext in sealed.items()
        }

    def rewrap(self, target_uid: str, sealed: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The same secrets under the newest key. Raises as ``open`` does."""
        if not sealed:
            return sealed
        ring, head = self._keys.current, head_of(self._keys.current.key_id)
        return {
            field: ciphertext
            if ciphertext.startswith(head)
            else ring.rewrap(ciphertext, target_uid=target_uid, field=field)
            for field, ciphertext in sealed.items()
        }


class _Entry:
    """A transport for one version of a target; closed when it is retired and idle."""

    def __init__(self, target: Target, sealed: Mapping[str, bytes], transport: Transport) -> None:
        self.target = target
        self.sealed = sealed
        self.transport = transport
        self.users = 0
        self.retired = False

    def suits(self, target: Target | None, sealed: Mapping[str, bytes]) -> bool:
        """Whether it may go on: another key that seals the same secrets changes nothing for it."""
        return (
            self.target == target
            and self.sealed.keys() == sealed.keys()
            and all(is_same_secret(each, sealed[field]) for field, each in self.sealed.items())
        )


class TransportCache:
    """See ``ports.Transports``."""

    def __init__(self, build: Build, secrets: SecretOpener, clock: Clock) -> None:
        self._build = build
        self._secrets = secrets
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def concurrency(self, target: Target, snapshot: Snapshot) -> int:
        return self._entry(target, snapshot).transport.concurrency

    @contextmanager
    def use(self, target: Target, snapshot: Snapshot) -> Iterator[Transport]:
        entry = self._entry(target, snapshot)
        entry.users += 1
        try:
            yield entry.transport
        finally:
            entry.users -= 1
            self._close_if_done(entry)

    def retire(self, snapshot: Snapshot) -> None:
        for uid, entry in list(self._entries.items()):
            if not entry.suits(snapshot.targets.get(uid), snapshot.sealed.get(uid, {})):
                self._retire(uid)

    async def close(self) -> None:
        for uid in list(self._entries):
            self._retire(uid)
        await asyncio.gather(*self._closing)

    def _entry(self, target: Target, snapshot: Snapshot) -> _Entry:
        entry = self._entries.get(target.uid)
        if entry is None:
            sealed = snapshot.sealed.get(target.uid, {})
            transport = self._opened(target, sealed, snapshot.settings)
            entry = self._entries[target.uid] = _Entry(target, sealed, transport)
        return entry

    def _opened(
        self, target: Target, sealed: Mapping[str, bytes], settings: InstallationSettings
    ) -> Transport:
        try:
            secrets = self._secrets.open(target.uid, sealed)
        except NotificationError as error:
            raise CannotOpen(Admission.SECRET_UNREADABLE, str(error)) from error
        try:
            return self._build(target, secrets, settings, self._clock)
        except InvalidArgument as error:
            raise CannotOpen(Admission.MISCONFIGURED, str(error)) from error
        except NotificationError as error:
            missing = error.reason is Reason.SECRET_REQUIRED
            reason = Admission.SECRET_REQUIRED if missing else Admission.TRANSPORT_NOT_AVAILABLE
            raise CannotOpen(reason, str(error)) from error

    def _retire(self, uid: str) -> None:
        entry = self._entries.pop(uid)
        entry.retired = True
        self._close_if_done(entry)

    def _close_if_done(self, entry: _Entry) -> None:
        if entry.retired and not entry.users:
            task = asyncio.get_running_loop().create_task(entry.transport.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
