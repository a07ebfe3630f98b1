"""The connections of one mail target between two mails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ibs_notify.delivery.transports.base import OutcomeReason
from ibs_notify.delivery.transports.smtp_connection import SmtpConnection
from ibs_notify.delivery.transports.stages import AttemptFailed, retry


class SmtpPool:
    """Keeps what is clean, closes what has been idle for too long or has sent enough."""

    def __init__(self, idle_seconds: float, most_messages: int) -> None:
        self._idle_seconds = idle_seconds
        self._most_messages = most_messages
        self._idle: dict[SmtpConnection, asyncio.TimerHandle] = {}
        self._lent: set[SmtpConnection] = set()
        self._closed = False

    def take(self) -> SmtpConnection | None:
        """The connection used last that still looks alive, for ``lend``; None if there is none."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.usable:
                return connection
            connection.abort()
        return None

    @contextmanager
    def lend(self, connection: SmtpConnection) -> Iterator[None]:
        """Use ``connection`` for one mail; afterwards it is kept, or closed if it is not clean."""
        if self._closed:
            connection.abort()
            raise retry(OutcomeReason.DISCONNECTED, "this service is closing its connections")
        self._lent.add(connection)
        try:
            yield
        except AttemptFailed:
            self._keep(connection)
            raise
        except BaseException:
            connection.abort()
            raise
        else:
            self._keep(connection)
        finally:
            self._lent.discard(connection)

    async def close(self) -> None:
        """Close every connection, also those that are lent; nothing is kept from now on."""
        self._closed = True
        for timer in self._idle.values():
            timer.cancel()
        for connection in self._idle:
            connection.say_quit()
        for connection in (*self._idle, *self._lent):
            connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn

    def _keep(self, connection: SmtpConnection) -> None:
        if not connection.usable or self._closed:
            connection.abort()
        elif connection.messages >= self._most_messages:
            connection.leave()
        else:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.call_later(self._idle_seconds, self._expire, connection)

    def _expire(self, connection: SmtpConnection) -> None:
        if self._idle.pop(connection, None) is not None:
            connection.leave()
