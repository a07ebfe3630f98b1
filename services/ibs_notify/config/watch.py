"""The watch: the whole state, a marker, then each change as it is committed, on any replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from ibs_notify.config.ports import Delta, Place, Repository
from ibs_notify.domain.errors import NotificationError, OutOfRange, Reason
from ironcore.notification.v1.config_service_pb2 import CurrentMarker, WatchConfigResponse

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0

_NO_REVISION = 10**15
"""A watcher that claims to have seen so many changes is not to be believed."""


class RevisionSignal:
    """The newest revision that this process knows of, and a way to wait for a newer one."""

    def __init__(self) -> None:
        self._revision = 0
        self._closed = False
        self._moved = asyncio.Event()

    @property
    def revision(self) -> int:
        """The newest that is known of."""
        return self._revision

    def advance(self, revision: int) -> None:
        """Wake whoever waits for this or an earlier revision. Never blocks."""
        if revision > self._revision:
            self._revision = revision
            self._wake()

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        self._wake()

    async def after(self, revision: int) -> bool:
        """Wait for a revision after ``revision``; false when closed."""
        while not self._closed and self._revision <= revision:
            await self._moved.wait()
        return not self._closed

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class ConfigWatch:
    """Each watcher reads for itself what it has not seen, so a slow one delays nobody."""

    def __init__(
        self, repository: Repository, signal: RevisionSignal, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._repository = repository
        self._signal = signal
        self._poll_seconds = poll_seconds

    async def poll(self) -> None:
        """Notice what other replicas commit, until cancelled."""
        failed = False
        while True:
            try:
                known = self._signal.revision
                revision = await self._repository.revision()
                if revision < known:
                    # A standby that was promoted may lack the last ones.
                    await self._repository.step_over(known)
                self._signal.advance(revision)
                failed = False
            except NotificationError as error:
                if not failed:
                    log.warning("the revision cannot be read: %s", error.message)
                failed = True
            await asyncio.sleep(self._poll_seconds)

    async def follow(
        self,
        resume_token: str,
        *,
        include_secrets: bool,
        include_tokens: bool = False,
        newest_seen: int = 0,
    ) -> AsyncIterator[WatchConfigResponse]:
        """All that ``ConfigService.WatchConfig`` promises, until the service stops.

        ``newest_seen`` is the newest revision that the watcher has had.
        """
        if newest_seen < _NO_REVISION:
            await self._repository.step_over(newest_seen)
        place = read_token(resume_token) if resume_token else None
        seen = resume_token
        while True:
            delta = await self._repository.changes_since(
                place, include_secrets=include_secrets, include_tokens=include_tokens
            )
            if delta.place != place or seen == resume_token:
                for response in responses(delta, seen):
                    yield response
            place, seen = delta.place, token_of(delta.place)
            if not await self._signal.after(place.revision):
                return


def responses(delta: Delta, resume_token: str) -> list[WatchConfigResponse]:
    """A delta as it is streamed: items by revision, then the marker.

    Only the marker has the new place: who stops in the middle gets all of it again.
    """
    items = [
        *(WatchConfigResponse(revision=t.target.revision, target=t) for t in delta.targets),
        *(WatchConfigResponse(revision=group.revision, group=group) for group in delta.groups),
        *(
            WatchConfigResponse(revision=each.revision, deleted_target_uid=each.uid)
            for each in delta.deleted_targets
        ),
        *(
            WatchConfigResponse(revision=each.revision, deleted_group_uid=each.uid)
            for each in delta.deleted_groups
        ),
        *(WatchConfigResponse(revision=each.token.revision, token=each) for each in delta.tokens),
    ]
    if delta.settings is not None:
        items.append(WatchConfigResponse(revision=delta.settings.revision, settings=delta.settings))
    items.sort(key=lambda item: item.revision)
    for item in items:
        item.resume_token = resume_token
    marker = WatchConfigResponse(
        resume_token=token_of(delta.place), revision=delta.place.revision, current=CurrentMarker()
    )
    return [*items, marker]


def token_of(place: Place) -> str:
    """The resume token of a place."""
    return f"{place.log_id}-{place.revision}"


def read_token(token: str) -> Place:
    """The place of a token; ``OutOfRange`` for what is no token of ours."""
    log_id, _, revision = token.rpartition("-")
    if not log_id or not (revision.isascii() and revision.isdigit()) or len(revision) > 18:
        raise OutOfRange(
            Reason.RESUME_TOKEN_EXPIRED,
            "that is no resume token of this service",
            advice="watch again without a token to get the whole current state",
        )
    return Place(log_id, int(revision))
