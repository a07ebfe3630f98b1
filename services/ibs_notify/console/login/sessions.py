"""Who is logged in. Kept in memory: a session ends with the process, and no token is on disk."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ibs_notify.console.api import Metadata
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.principal import Role

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
MOST = 10_000
MOST_OF_ONE = 50
"""So that one token cannot push out the sessions of others. Without tokens nobody is told apart."""
AT_ONCE = 8
"""A browser opens six connections, so that nobody who looks ever waits."""


@dataclass(slots=True)
class Session:
    """One browser. ``role`` is None where nobody is asked, and everybody may do everything."""

    name: str
    role: Role | None
    metadata: Metadata
    began: datetime
    ends: datetime
    csrf_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    notices: list[Notice] = field(default_factory=list)
    """Shown once, on the next page."""
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    """Of what one browser asks for, so much is answered at once; the rest waits for its turn."""
    proved: datetime | None = None
    """When a service last took its token."""

    def is_live(self, now: datetime) -> bool:
        """Whether it still counts."""
        return now < self.ends and now < self.began + LONGEST

    def csrf_token(self) -> str:
        """Different each time, so that compressed pages say nothing of it (BREACH)."""
        salt = secrets.token_bytes(16)
        return (salt + self._signature(salt)).hex()

    def accepts(self, csrf_token: str) -> bool:
        """Whether ``csrf_token`` is one of this session."""
        try:
            given = bytes.fromhex(csrf_token)
        except ValueError:
            return False
        return hmac.compare_digest(given[16:], self._signature(given[:16]))

    def _signature(self, salt: bytes) -> bytes:
        return hmac.new(self.csrf_key, salt, hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Undo:
    """A form that takes back what was done: ``fields`` are posted to ``url``."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """A link to what is spoken of."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A line above a page. ``kind`` is done, info, warning or failed."""

    kind: str
    text: str
    undo: Undo | None = None
    way: Way | None = None


class Sessions:
    """By the secret of the cookie, of which only the hash is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def begin(self, name: str, role: Role | None, metadata: Metadata) -> tuple[str, Session]:
        """A new session and the secret that finds it."""
        now = self._clock.now()
        self._make_room(now, name if role else "")
        secret = secrets.token_urlsafe(32)
        session = Session(name, role, metadata, now, now + IDLE)
        self._sessions[_key(secret)] = session
        return secret, session

    def find(self, secret: str) -> Session | None:
        """The session of a cookie, which counts for longer by being used."""
        now = self._clock.now()
        session = self._sessions.get(_key(secret))
        if session is None or not session.is_live(now):
            return None
        session.ends = now + IDLE
        return session

    def end(self, secret: str) -> None:
        """Forget a session; what it has open sees that it is live no longer."""
        self._forget([_key(secret)])

    def end_all_of(self, name: str) -> None:
        """Forget every session of a token, in whatever browser."""
        self._forget(self._keys_of(name))

    def _make_room(self, now: datetime, token: str) -> None:
        for key in [key for key, each in self._sessions.items() if not each.is_live(now)]:
            del self._sessions[key]
        if token:
            self._drop_oldest(self._keys_of(token), MOST_OF_ONE)
        self._drop_oldest(list(self._sessions), MOST)

    def _drop_oldest(self, keys: list[bytes], most: int) -> None:
        """So many of them that one more fits."""
        if len(keys) >= most:
            keys.sort(key=lambda key: self._sessions[key].ends)
            self._forget(keys[: len(keys) + 1 - most])

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            ended = self._sessions.pop(key, None)
            if ended is not None:
                ended.ends = self._clock.now()

    def _keys_of(self, name: str) -> list[bytes]:
        return [key for key, each in self._sessions.items() if each.name == name]


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
