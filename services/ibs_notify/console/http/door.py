"""The door that connections come in by: so many at once, and not all of them from one place.

They are counted before anything is spent on them. A connection whose TLS handshake never ends is
one that the HTTP server does not know of yet.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from weakref import WeakKeyDictionary

MOST_CONNECTIONS = 1_000
"""A browser opens six at most, and one of them may be live for long."""
MOST_OF_ONE_PLACE = 500
"""Of one address, so that no single one keeps all others out. It may be that of a proxy."""


class Door(socket.socket):
    """A socket that listens; it hangs up at once on who is one too many."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(fileno=listening.detach())
        self._places: WeakKeyDictionary[socket.socket, str] = WeakKeyDictionary()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; ``BlockingIOError`` where there is none that may stay."""
        came, address = super().accept()
        place = str(address[0])
        open_now = [place for each, place in self._places.items() if each.fileno() >= 0]
        if len(open_now) >= MOST_CONNECTIONS or open_now.count(place) >= MOST_OF_ONE_PLACE:
            came.close()
            raise BlockingIOError(f"too many connections, or too many of {place}")
        self._places[came] = place
        return came, address


async def open_door(host: str, port: int) -> Door:
    """``OSError`` where the address is taken, or none of this machine."""
    loop = asyncio.get_running_loop()
    family, *_, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    return Door(socket.create_server(address, family=family))
