"""Tells of logins that were refused: few events, whatever the number of tries.

Who floods a service with bad tokens costs it an entry of a small table, and one event a minute.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote
from uuid import uuid4

from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import AlreadyExists, InvalidArgument, NotificationError
from ibs_notify.domain.event import Event

log = logging.getLogger(__name__)

TYPE = "auth.login-failed"
MOST_KINDS = 50
"""Different failures of a minute that are told apart; those of all others are counted together."""
PAUSE_SECONDS = 60.0
# A secret is longer than that.
_ID = re.compile(r"[A-Za-z0-9-]{1,32}")
_MOST_OF_A_HOST = 64

Emit = Callable[[Event], Awaitable[None]]
"""Gives the Router an event; raises what the Router answers."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Failures that are alike. ``token_id`` is empty where none was given."""

    reason: str
    token_id: str
    host: str

    def __str__(self) -> str:
        token = f"token {self.token_id}" if self.token_id else "no token"
        return f"{token} from {self.host or 'unknown'}: {self.reason}"


class LoginFailures:
    """Counts failures in memory, and tells of them: of the first at once, then once a minute.

    What is counted is lost when the process ends. While the Router is away it is counted on.
    """

    def __init__(self, service: str, clock: Clock, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._service = service
        self._clock = clock
        self._pause = pause_seconds
        # No emitter can know it, and with one of the same key hide what is told here.
        self._key = f"{TYPE}/{service}/{uuid4().hex}"
        self._counts: dict[_Kind, int] = {}
        self._others = 0
        self._noted = asyncio.Event()

    def note(self, reason: str, token_id: str, peer: str) -> None:
        """A call was refused. ``token_id`` is the part of a token that is not secret, ``peer`` what
        gRPC calls the caller: ``ipv4:192.0.2.7:41234``."""
        kind = _Kind(reason[:64], _token(token_id), _host(peer))
        if kind in self._counts or len(self._counts) < MOST_KINDS:
            self._counts[kind] = self._counts.get(kind, 0) + 1
        else:
            self._others += 1
        self._noted.set()

    async def run(self, emit: Emit) -> None:
        """Tell by ``emit``, until cancelled."""
        waiting: Event | None = None
        while True:
            if waiting is None:
                await self._noted.wait()
                waiting = self.take()
            if waiting is not None and await _is_told(waiting, emit):
                waiting = None
            await asyncio.sleep(self._pause)

    def take(self) -> Event | None:
        """The event of what was counted since the last one; ``None`` where nothing was."""
        self._noted.clear()
        counts, others = self._counts, self._others
        self._counts, self._others = {}, 0
        total = sum(counts.values()) + others
        if not total:
            return None
        calls = "call was" if total == 1 else "calls were"
        subject = f"{total:,} {calls} refused by {self._service}: no valid token or certificate"
        log.warning("%s", subject)
        return Event(
            # Whoever could tell the next one would use it first, and this would not be told.
            event_id=f"login-failed-{self._service}-{uuid4().hex}",
            type=TYPE,
            severity=default_severity(TYPE),
            timestamp=self._clock.now(),
            subject=subject,
            summary=_summary(counts, others),
            labels=_labels(self._service, counts, total),
            # A flood is told again as seldom as any repeat, though its numbers change.
            dedup_key=self._key,
        )


async def _is_told(event: Event, emit: Emit) -> bool:
    try:
        await emit(event)
    except (AlreadyExists, InvalidArgument) as error:
        log.error("%s cannot be told: %s", event.event_id, error.message)
    except NotificationError as error:
        log.warning("refused calls are told of later: %s", error.message)
        return False
    return True


def _summary(counts: dict[_Kind, int], others: int) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    lines = [f"{count:,} with {kind}" for kind, count in ordered]
    if others:
        lines.append(f"{others:,} more, with other tokens or from elsewhere")
    return "\n".join(lines)


def _labels(service: str, counts: dict[_Kind, int], total: int) -> dict[str, str]:
    labels = {"service": service, "count": str(total)}
    if len(counts) == 1 and total in counts.values():
        (kind,) = counts
        labels |= {"reason": kind.reason, "peer": kind.host}
        if kind.token_id:
            labels["token_id"] = kind.token_id
    return labels


def _token(token_id: str) -> str:
    """What is no id of ours may be anything, even a secret in the wrong place."""
    return token_id if not token_id or _ID.fullmatch(token_id) else "of another form"


def _host(peer: str) -> str:
    """The address without its port, which differs for each connection."""
    address = unquote(peer.partition(":")[2])
    return address.rpartition(":")[0].strip("[]")[:_MOST_OF_A_HOST]
