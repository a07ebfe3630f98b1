"""The use cases of keys: a new one, everything sealed with it, and the old one gone.

Nothing keeps note of a rotation under way: each sealed secret says which key opens it, so what is
still to be done can be seen. The new key is in the key file before anything is sealed with it, and
an old one leaves it when nothing is; so whoever reads the file opens everything at any moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.config.audited import act_of
from ibs_notify.config.ports import Change, DeliveryPort, Repository, View
from ibs_notify.domain import failpoints
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FailedPrecondition, Internal, NotFound, Reason, Unavailable
from ibs_notify.secrets.envelope import Keyring, key_id_of
from ibs_notify.secrets.key_file import Key, made_at
from ibs_notify.secrets.key_source import CredentialSource, EnvironmentSource, FileSource
from ibs_notify.secrets.keys import Keys

log = logging.getLogger(__name__)

BATCH_TARGETS = 20
"""The secrets of so many targets are sealed anew in one transaction; other changes go between."""
ITSELF = "service:config"
"""Who goes on with what a crash interrupted."""


class KeyAction(StrEnum):
    """What is done to keys."""

    ROTATE = "key.rotate"
    REMOVE = "key.remove"


@dataclass(frozen=True, slots=True)
class Rotated:
    """Every secret that can be opened is sealed with ``key_id``, as of ``revision``."""

    key_id: str
    resealed: int
    revision: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key, and how many stored ``secrets`` it seals."""

    key_id: str
    is_newest: bool
    secrets: int
    is_available: bool


class KeyRotation:
    """One thing at a time in this process; other processes are kept off the file by a lock."""

    def __init__(
        self, repository: Repository, delivery: DeliveryPort, keys: Keys, clock: Clock
    ) -> None:
        self._repository = repository
        self._delivery = delivery
        self._keys = keys
        self._clock = clock
        self._busy = asyncio.Lock()

    @property
    def source(self) -> str:
        """Where the keys are read from."""
        return str(self._keys.source.kind)

    async def listed(self) -> Sequence[ListedKey]:
        """The keys, newest first; then those that seal a secret and are not there."""
        counts = await self._repository.read(lambda view: view.key_counts())
        held = [key.key_id for key in self._keys.current.keys]
        lost = sorted(counts.keys() - set(held))
        return [
            ListedKey(each, each == held[0], counts.get(each, 0), each not in lost)
            for each in (*held, *lost)
        ]

    async def rotate(self, author: str, *, keep_newest: bool) -> Rotated:
        """Seal everything with the newest key, of which a file gets a new one before.

        Raises Unavailable where the file cannot be changed, or is older than what is stored.
        """
        async with self._busy:
            counts = await self._repository.read(lambda view: view.key_counts())
            require_newest(self._keys, counts)
            before = self._keys.current.key_id
            warnings: tuple[str, ...] = ()
            if not keep_newest:
                warnings = self._put_new_key(counts)
            failpoints.hit("config.key_put")
            newest = self._keys.current.key_id
            if newest != before or counts.keys() - {newest}:
                await self._record(KeyAction.ROTATE, newest, author)
            rotated = await self._seal_all(author)
            failpoints.hit("config.rotated")
            return Rotated(
                rotated.key_id,
                rotated.resealed,
                rotated.revision,
                warnings + rotated.warnings,
            )

    async def resume(self) -> None:
        """At the start: go on with what was interrupted, and say what cannot be opened."""
        async with self._busy:
            counts = await self._repository.read(lambda view: view.key_counts())
            ring = self._keys.current
            if lost := _lost(ring, counts):
                log.error("%s", _said_of_lost(lost, self._keys))
            if counts.get(ring.key_id) and counts.keys() - {ring.key_id} - lost.keys():
                rotated = await self._seal_all(ITSELF)
                if not rotated.resealed:
                    return  # what is left is damaged
                await self._record(KeyAction.ROTATE, rotated.key_id, ITSELF)
                log.info("an interrupted rotation went on: %d secrets", rotated.resealed)

    async def remove(self, key_id: str, author: str) -> None:
        """Take an old key out of the file.

        ``NotFound`` where it is not there; ``FailedPrecondition`` (KEY_IN_USE) while it is the
        newest, seals a stored secret, or may seal what Delivery keeps; ``Unavailable`` where the
        file cannot be changed.
        """
        async with self._busy:
            source = self._keys.source
            if key_id not in {key.key_id for key in self._keys.current.keys}:
                raise NotFound(
                    Reason.KEY_NOT_FOUND,
                    f"{source} does not hold a key {key_id!r}",
                    advice="see keys list",
                )
            if not isinstance(source, FileSource):
                raise FailedPrecondition(
                    Reason.KEY_IN_USE,
                    f"{source} cannot be changed from here",
                    advice="see with keys list that it seals nothing, and take it out by hand",
                )
            await self._require_unused(key_id)
            source.require_changeable()
            await self._record(KeyAction.REMOVE, key_id, author)
            source.change(lambda keys: [key for key in keys if key.key_id != key_id])
            failpoints.hit("config.key_removed")

    async def _require_unused(self, key_id: str) -> None:
        counts, revision = await self._counts_and_revision()
        if key_id == self._keys.current.key_id:
            raise _in_use(f"key {key_id} is the newest: new secrets are sealed with it")
        if counts.get(key_id):
            raise _in_use(f"{_secrets(counts[key_id])} sealed with key {key_id}")
        held = await self._delivery.keys_held(revision)
        if key_id in held:
            raise _in_use(f"Delivery still keeps secrets that are sealed with key {key_id}")

    async def _counts_and_revision(self) -> tuple[Mapping[str, int], int]:
        counts = await self._repository.read(lambda view: view.key_counts())
        return counts, await self._repository.revision()

    def _put_new_key(self, counts: Mapping[str, int]) -> tuple[str, ...]:
        """Put a new key into the file, but where the newest waits to be used: it was put there by a
        rotation that went no further, or by hand."""
        source = self._keys.source
        match source:
            case FileSource():
                key = Key.generate(self._clock.now())
                source.change(lambda keys: keys if _waits(keys, counts) else (key, *keys))
                return ()
            case CredentialSource() | EnvironmentSource():
                return (f"no new key was made, for {source} cannot be changed from here",)
            case _:
                raise TypeError(f"{source} is no source of keys that this release knows")

    async def _seal_all(self, author: str) -> Rotated:
        """Each target once, in order, so that it ends whatever others do meanwhile."""
        resealed, after = 0, ""
        damaged: list[str] = []
        while True:
            batch = await self._repository.change(author, self._batch_after(after))
            failpoints.hit("config.resealed")
            resealed += batch.resealed
            damaged += batch.damaged
            if not batch.last:
                break
            after = batch.last
        counts, revision = await self._counts_and_revision()
        ring = self._keys.current
        lost = _lost(ring, counts)
        if lost:
            damaged.append(f"{_said_of_lost(lost, self._keys)}; give those secrets again")
        return Rotated(ring.key_id, resealed, revision, tuple(damaged))

    def _batch_after(self, after: str) -> Callable[[Change], _Batch]:
        # The keys are looked at within the transaction: the newest of that moment.
        return lambda change: _reseal(change, self._keys.current, after)

    async def _record(self, action: KeyAction, key_id: str, author: str) -> None:
        """Tell of it once for all of it."""
        act = act_of(action.value, f"key/{key_id}", None, None)
        await self._repository.change(author, lambda change: change.audit(act))
        log.info("%s %s by %s", action, key_id, author)


@dataclass(frozen=True, slots=True)
class _Batch:
    """``last`` is the uid to go on after, empty where nothing was left; ``damaged`` says of secrets
    that cannot be opened at all."""

    resealed: int
    last: str
    damaged: tuple[str, ...]


def _reseal(change: Change, ring: Keyring, after: str) -> _Batch:
    found = change.sealed_with_others(ring.key_id, after, BATCH_TARGETS)
    available = {key.key_id for key in ring.keys}
    resealed = 0
    damaged: list[str] = []
    for uid, sealed in found.items():
        anew: dict[str, bytes] = {}
        for field, ciphertext in sealed.items():
            if key_id_of(ciphertext) not in available:
                continue
            try:
                anew[field] = ring.rewrap(ciphertext, target_uid=uid, field=field)
            except Internal as error:
                damaged.append(str(error))
        if anew:
            change.reseal(uid, anew)
        resealed += len(anew)
        failpoints.hit("config.resealing")
    return _Batch(resealed, max(found, default=""), tuple(damaged))


def keyring_to_seal(view: View, keys: Keys) -> Keyring:
    """The keys for a new secret. Raises Unavailable where others have a newer one."""
    ring = keys.current
    if any(view.sealed_with_others(ring.key_id, limit=1)):
        require_newest(keys, view.key_counts())
    return ring


def require_newest(keys: Keys, counts: Mapping[str, int]) -> None:
    """Raise where a key that is missing here is newer than the newest: the file is an old copy.

    What it would seal, those who have the newer file could perhaps not open. Another replica can.
    """
    ring = keys.current
    newer = {
        key_id: count
        for key_id, count in _lost(ring, counts).items()
        if made_at(key_id) > made_at(ring.key_id)
    }
    if newer:
        raise Unavailable(
            Reason.STORAGE_UNAVAILABLE,
            _said_of_lost(newer, keys),
            advice="it is an old copy: put the newest one in its place, no restart is needed",
        )


def _lost(ring: Keyring, counts: Mapping[str, int]) -> Mapping[str, int]:
    held = {key.key_id for key in ring.keys}
    return {key_id: count for key_id, count in counts.items() if key_id not in held}


def _said_of_lost(lost: Mapping[str, int], keys: Keys) -> str:
    each = ", ".join(
        f"{key_id} ({_secrets(count)} sealed with it)" for key_id, count in lost.items()
    )
    return f"{keys.source} lacks the key {each}"


def _secrets(count: int) -> str:
    return "1 stored secret is" if count == 1 else f"{count:,} stored secrets are"


def _waits(keys: Sequence[Key], counts: Mapping[str, int]) -> bool:
    return not counts.get(keys[0].key_id) and any(counts.get(each.key_id) for each in keys)


def _in_use(message: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.KEY_IN_USE, message, advice="rotate, and try again when Delivery has applied it"
    )
