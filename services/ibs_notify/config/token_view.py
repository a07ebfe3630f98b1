"""The tokens that Config itself recognises callers by, as of the newest revision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ibs_notify.config.ports import Place, Repository
from ibs_notify.config.watch import RevisionSignal
from ibs_notify.domain.errors import NotificationError, OutOfRange
from ibs_notify.domain.token import KnownToken
from ibs_notify.rpc.convert_token import tokens_from_proto
from ironcore.notification.v1.config_service_pb2 import WatchedToken

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


class TokenView:
    """``on_change`` is told all that count whenever something changed; the first time by ``load``.

    What other replicas change is noticed as a watcher notices it: when ``signal`` moves.
    """

    def __init__(
        self,
        repository: Repository,
        signal: RevisionSignal,
        on_change: Callable[[Mapping[str, KnownToken]], None],
    ) -> None:
        self._repository = repository
        self._signal = signal
        self._on_change = on_change
        self._place: Place | None = None
        self._tokens: dict[str, WatchedToken] = {}
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Read what changed. ``Unavailable`` where the database cannot answer."""
        async with self._one_at_a_time:
            try:
                await self._read(self._place)
            except OutOfRange:
                await self._read(None)

    async def refresh(self) -> None:
        """As ``load``, now; where that is not possible ``run`` does it later."""
        try:
            await self.load()
        except NotificationError as error:
            log.warning("the tokens cannot be read: %s", error.message)

    async def run(self) -> None:
        """Follow the changes until the service stops."""
        while await self._signal.after(self._place.revision if self._place else -1):
            known = self._place
            await self.refresh()
            if self._place == known:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self, place: Place | None) -> None:
        delta = await self._repository.changes_since(
            place, include_secrets=False, include_tokens=True
        )
        if place is None:
            self._tokens = {}
        for each in delta.tokens:
            if each.token.HasField("revoke_time"):
                self._tokens.pop(each.token.id, None)
            else:
                self._tokens[each.token.id] = each
        changed = place is None or bool(delta.tokens)
        self._place = delta.place
        if changed:
            self._on_change(tokens_from_proto(self._tokens.values()))
