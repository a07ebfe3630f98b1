"""Follows Config's watch and keeps the last good snapshot, so that Config may be away."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError

from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.domain.errors import NotificationError, OutOfRange
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.snapshot.state import WatchedState
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
QUIET_SECONDS = 3.0
"""Services start in any order: for so long after the start, nobody is told that Config is away."""
REMINDER_SECONDS = 60.0
"""An outage is told when it begins, and again after each of these."""


class ConfigWatcher:
    """``current`` is the newest complete snapshot, or ``None`` before the first.

    ``kept`` is the same as Config sent it, and ``path`` where that is kept between starts; it holds
    ciphertexts at most. ``on_disk`` is what is there now: behind ``kept`` where that failed.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        path: Path,
        *,
        include_secrets: bool,
        include_tokens: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._stub = ConfigServiceStub(channel)
        self._path = path
        self._include_secrets = include_secrets
        self._include_tokens = include_tokens
        self._state = WatchedState()
        self.kept = self.on_disk = pb.ConfigSnapshot()
        self._resume_token = ""
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._changed = asyncio.Event()
        self._clock = clock or SystemClock()
        self._next_warning = 0.0
        self._lost = False
        self.current: Snapshot | None = None

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call ``listener`` in the event loop with each snapshot, the one from disk included."""
        self._listeners.append(listener)

    async def at_least(self, revision: int) -> Snapshot:
        """Wait until ``revision`` or a later one is in force."""
        while self.current is None or self.current.revision < revision:
            await self._changed.wait()
        return self.current

    async def run(self) -> None:
        """Load what is on disk, then follow Config until cancelled."""
        self._load()
        pause = FIRST_PAUSE_SECONDS
        self._next_warning = self._clock.monotonic() + QUIET_SECONDS
        while True:
            try:
                async for revision in self._follow():
                    pause = FIRST_PAUSE_SECONDS
                    self._in_touch()
                    self._swap(revision)
            except grpc.aio.AioRpcError as error:
                self._out_of_touch(from_rpc_error(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _follow(self) -> AsyncIterator[int]:
        """Yield each revision once the state holds all of it."""
        fresh = not self._resume_token
        items: list[pb.WatchConfigResponse] = []
        request = pb.WatchConfigRequest(
            resume_token=self._resume_token,
            include_secrets=self._include_secrets,
            include_tokens=self._include_tokens,
            seen_revision=self.current.revision if self.current is not None else 0,
        )
        async for item in self._stub.WatchConfig(request):
            if item.WhichOneof("item") != "current":
                items.append(item)
                continue
            if fresh:
                nothing = pb.ConfigSnapshot(has_tokens=self._include_tokens)
                self._state, fresh = WatchedState(nothing), False
            self._state.apply(items, item.revision)
            self._resume_token = item.resume_token
            items = []
            yield item.revision

    def _swap(self, revision: int) -> None:
        kept = self._state.to_proto()
        if self.current is not None and kept == self.kept:
            return
        if self.current is not None and self.current.revision > revision:
            log.warning(
                "the configuration went back from %d to %d", self.current.revision, revision
            )
        self._keep(kept)
        self._publish()
        log.info("configuration revision %d is in force", revision)

    def _keep(self, kept: pb.ConfigSnapshot) -> None:
        self.kept = kept
        try:
            _write_durably(self._path, kept.SerializeToString())
            self.on_disk = kept
        except OSError as error:
            # A full disk must not keep a change from being in force.
            log.error("the configuration cannot be kept in %s: %s", self._path, error)

    def _publish(self) -> None:
        self.current = self._state.to_snapshot()
        for listener in self._listeners:
            listener(self.current)
        self._changed.set()
        self._changed = asyncio.Event()

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
            kept = pb.ConfigSnapshot.FromString(content)
        except FileNotFoundError:
            return
        except (OSError, DecodeError) as error:
            log.warning("the kept configuration %s cannot be read: %s", self._path, error)
            return
        if not content:
            # It would read as a configuration without any group, and nobody would be told.
            log.warning("the kept configuration %s is empty", self._path)
            return
        self._state, self.kept, self.on_disk = WatchedState(kept), kept, kept
        self._publish()
        log.info("configuration revision %d is in force, from disk", kept.revision)

    def _in_touch(self) -> None:
        if self._lost:
            log.info("the watch of the configuration goes on")
        self._lost, self._next_warning = False, 0.0

    def _out_of_touch(self, error: NotificationError) -> None:
        if isinstance(error, OutOfRange):
            self._resume_token = ""
        level, now = logging.DEBUG, self._clock.monotonic()
        if now >= self._next_warning:
            level, self._lost = logging.WARNING, True
            self._next_warning = now + REMINDER_SECONDS
        log.log(level, "the configuration cannot be watched: %s", error.message)


def _write_durably(path: Path, content: bytes) -> None:
    """Replace the file's content so that a crash leaves the old or the new one, whole."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
