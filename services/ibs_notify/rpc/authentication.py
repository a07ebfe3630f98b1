"""Who calls, and whether they may. ``rpc.authentication_interceptor`` asks it of every call.

A token that is presented counts; without one the certificate of the peer does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from math import ceil
from typing import Any, NoReturn, TypeAlias, assert_never

import grpc

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    PermissionDenied,
    Reason,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from ibs_notify.domain.principal import Principal, Role, Service
from ibs_notify.domain.quota import Bucket, charge
from ibs_notify.domain.token import KnownToken, Standing, is_expired, judge, parse_bearer
from ibs_notify.rpc.access import Access, Allowed, access, least_role
from ibs_notify.rpc.certified import certified
from ibs_notify.rpc.load import MOST_STREAMS_OF_A_TOKEN
from ibs_notify.rpc.token_uses import TokenUses

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

AUTHORIZATION = "authorization"
LOOK_SECONDS = 1.0
"""How soon a stream ends after its token was revoked or has expired."""


class Refusal(StrEnum):
    """Why a caller is not known. The caller is told less: not whether there is such a token."""

    NOTHING_PRESENTED = "NOTHING_PRESENTED"
    MALFORMED = "MALFORMED"
    UNKNOWN_TOKEN = "UNKNOWN_TOKEN"
    WRONG_SECRET = "WRONG_SECRET"
    EXPIRED = "EXPIRED"


OnRefused: TypeAlias = Callable[[Refusal, str, str], None]
"""Is told of each refusal: why, the id of the token (empty where there is none), the peer."""

_CERTIFIED: Mapping[Role | Service, Principal] = {
    Role.ADMINISTRATOR: Principal("administrator", Role.ADMINISTRATOR),
    **{each: Principal(f"service:{each}", each) for each in Service},
}
"""Whom a certificate proves; a token cannot have one of these names."""


def told_to_nobody(_reason: Refusal, _token_id: str, _peer: str) -> None:
    """An ``OnRefused`` that does nothing."""


class Authenticator:
    """Recognises callers by the tokens that it was last given, and by certificates."""

    def __init__(
        self, clock: Clock, uses: TokenUses, on_refused: OnRefused = told_to_nobody
    ) -> None:
        self._clock = clock
        self._uses = uses
        self._on_refused = on_refused
        self._tokens: Mapping[str, KnownToken] | None = None
        self._buckets: dict[str, Bucket] = {}
        self._streams: defaultdict[str, set[asyncio.Timeout]] = defaultdict(set)

    def set_tokens(self, tokens: Mapping[str, KnownToken]) -> None:
        """From now on these count, by their ids, and no others."""
        self._tokens = tokens
        for token_id in self._buckets.keys() - tokens.keys():
            del self._buckets[token_id]

    def admit(self, context: Context, allowed: Allowed) -> Principal:
        """Who calls, where that is among those ``allowed``.

        ``Unauthenticated``, ``PermissionDenied``, or ``Unavailable`` where no tokens are known yet.
        """
        presented, count = None, 0
        for key, value in context.invocation_metadata() or ():
            if key == AUTHORIZATION:
                presented, count = value, count + 1
        if count > 1:
            self._refuse(Refusal.MALFORMED, "", context)
        if presented is None:
            who = self._by_certificate(context)
        else:
            who = self._by_token(presented, context)
        if access(allowed, who.standing) is Access.DENIED:
            raise _denied(who, allowed)
        return who

    def charge(self, who: Principal, count: int) -> None:
        """Count ``count`` calls; ``ResourceExhausted`` where the quota of the token is used up."""
        known = self._tokens.get(who.token_id) if self._tokens is not None else None
        if known is None or not known.quota_per_minute:
            return
        quota, now = known.quota_per_minute, self._clock.monotonic()
        charged = charge(self._buckets.get(who.token_id), quota, count, now)
        self._buckets[who.token_id] = charged.bucket
        if charged.wait > timedelta(0):
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS,
                f"token {who.name!r} has used up its quota of {quota} a minute",
                advice=f"come back in {ceil(charged.wait.total_seconds())} s, or with a token that "
                "has a larger --quota",
                retry_after=charged.wait,
            )

    @contextmanager
    def holding(self, who: Principal, stream: asyncio.Timeout) -> Iterator[None]:
        """``stream`` is cut within seconds when the token it was opened with counts no more.

        ``ResourceExhausted`` where that one has as many as it may have.
        """
        if not who.token_id:
            yield
            return
        held = self._streams[who.token_id]
        if len(held) >= MOST_STREAMS_OF_A_TOKEN:
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS,
                f"token {who.name!r} has {MOST_STREAMS_OF_A_TOKEN} streams under way, which is all "
                "that it may have in a service",
                advice="use a stream for longer, or another token",
            )
        held.add(stream)
        try:
            yield
        finally:
            held.discard(stream)
            if not held:
                self._streams.pop(who.token_id, None)

    async def watch_streams(self) -> None:
        """Cut the streams of tokens that count no more, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._cut_streams()

    def _cut_streams(self) -> None:
        now, at_once = self._clock.now(), asyncio.get_running_loop().time()
        for token_id, streams in self._streams.items():
            known = (self._tokens or {}).get(token_id)
            if known is not None and not is_expired(known, now):
                continue
            for stream in streams:
                if stream.when() is None:
                    stream.reschedule(at_once)

    def _by_token(self, presented: str | bytes, context: Context) -> Principal:
        token = parse_bearer(presented) if isinstance(presented, str) else None
        if token is None:
            self._refuse(Refusal.MALFORMED, "", context)
        if self._tokens is None:
            raise Unavailable(
                Reason.NOT_READY, "the service has no configuration yet, so it knows no tokens"
            )
        (token_id, secret), now = token, self._clock.now()
        known = self._tokens.get(token_id)
        standing = judge(known, secret, now)
        if known is None or standing is not Standing.VALID:
            self._refuse(_refusal(standing), token_id, context)
        self._uses.note(token_id, now)
        return known.principal

    def _by_certificate(self, context: Context) -> Principal:
        standing = certified(context.auth_context())
        if standing is None:
            self._refuse(Refusal.NOTHING_PRESENTED, "", context)
        return _CERTIFIED[standing]

    def _refuse(self, why: Refusal, token_id: str, context: Context) -> NoReturn:
        self._on_refused(why, token_id, context.peer())
        raise _unauthenticated(why)


def _refusal(standing: Standing) -> Refusal:
    match standing:
        case Standing.UNKNOWN | Standing.VALID:
            return Refusal.UNKNOWN_TOKEN
        case Standing.WRONG_SECRET:
            return Refusal.WRONG_SECRET
        case Standing.EXPIRED:
            return Refusal.EXPIRED
        case _:
            assert_never(standing)


def _unauthenticated(why: Refusal) -> Unauthenticated:
    match why:
        case Refusal.NOTHING_PRESENTED:
            message = "this service answers only who presents a token"
        case Refusal.MALFORMED:
            message = "what was presented is no token"
        case Refusal.UNKNOWN_TOKEN | Refusal.WRONG_SECRET:
            message = "the token is not valid: nobody made it, or it was revoked"
        case Refusal.EXPIRED:
            message = "the token has expired"
        case _:
            assert_never(why)
    advice = (
        "set IBS_NOTIFY_TOKEN to a token, or the setting token_file to a file that holds it; "
        "other programs send it as metadata: authorization: Bearer ibsn_…"
        if why in (Refusal.NOTHING_PRESENTED, Refusal.MALFORMED)
        else "an administrator makes a new one with token create"
    )
    return Unauthenticated(Reason.UNAUTHENTICATED, message, advice=advice)


def _denied(who: Principal, allowed: Allowed) -> PermissionDenied:
    role = least_role(allowed)
    return PermissionDenied(
        Reason.PERMISSION_DENIED,
        f"{who.name!r} ({who.standing}) may not call this",
        advice="only the services make this call" if role is None else f"it needs the role {role}",
    )
