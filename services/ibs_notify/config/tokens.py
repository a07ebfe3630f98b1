"""API tokens: made, listed, revoked. Their secrets are shown once and kept nowhere."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ibs_notify.config.faults import Faults
from ibs_notify.config.ports import Change, Repository
from ibs_notify.config.token_view import TokenView
from ibs_notify.config.validate_token import checked_token, warnings_of
from ibs_notify.domain.errors import AlreadyExists, NotFound, Reason
from ibs_notify.domain.token import hash_of, spell
from ironcore.notification.v1.token_pb2 import Token

MAX_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class Made:
    """A new token, and what its holder presents."""

    token: Token
    presented: str
    warnings: tuple[str, ...] = ()


class Tokens:
    """``view`` is what this process recognises callers by; it has a change when that returns."""

    def __init__(self, repository: Repository, view: TokenView) -> None:
        self._repository = repository
        self._view = view

    async def create(self, given: Token, author: str, now: datetime) -> Made:
        """``AlreadyExists`` where the name was used before, also by one that is revoked."""
        faults = Faults()
        token = checked_token(given, now, faults)
        faults.raise_any()
        token.id, secret = secrets.token_hex(8), secrets.token_hex(32)

        def work(change: Change) -> Token:
            if change.token(token.name) is not None:
                raise AlreadyExists(
                    Reason.TOKEN_EXISTS,
                    f"a token {token.name!r} was made before",
                    advice="no name is used twice, so that the audit log means one token",
                )
            if change.token_count() >= MAX_TOKENS:
                faults.add("token", f"there are {MAX_TOKENS} already", "revoke what nobody uses")
                faults.raise_any()
            return change.add_token(token, hash_of(secret))

        made = await self._repository.change(author, work)
        await self._view.refresh()
        return Made(made, spell(token.id, secret), tuple(warnings_of(made)))

    async def page(self, after: str, limit: int, *, include_revoked: bool) -> list[Token]:
        """At most ``limit`` tokens in order of name, those after ``after``."""
        return await self._repository.read(
            lambda view: view.tokens(after, limit, include_revoked=include_revoked)
        )

    async def revoke(self, name: str, author: str) -> Token:
        """Revoke a token for good; one that is revoked already stays as it is."""

        def work(change: Change) -> Token:
            token = change.token(name)
            if token is None:
                raise NotFound(
                    Reason.TOKEN_NOT_FOUND,
                    f"there is no token {name!r}",
                    advice="token list --all shows every one",
                )
            return token if token.HasField("revoke_time") else change.revoke_token(token)

        revoked = await self._repository.change(author, work)
        await self._view.refresh()
        return revoked

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep when tokens were last used, by their ids."""
        await self._repository.note_token_uses(uses)
