"""gRPC as it passes a server's socket: which requests were answered, seen from the bytes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_DATA = 0
_PADDED = 0x08


@dataclass(slots=True)
class Frames:
    """Cuts one direction of an HTTP/2 connection into frames."""

    _buffer: bytearray = field(default_factory=bytearray)

    def data(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The stream and the content of every DATA frame that ``piece`` completes."""
        self._buffer += piece
        if self._buffer.startswith(_PREFACE):
            del self._buffer[: len(_PREFACE)]
        while len(self._buffer) >= _HEAD:
            end = _HEAD + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:_HEAD], "big")
            content = bytes(self._buffer[_HEAD:end])
            del self._buffer[:end]
            if kind == _DATA and content:
                if flags & _PADDED:
                    raise ValueError("padded frames are not expected here")
                yield stream, content


class Connection:
    """A connection of the server. ``names`` finds in a request what it asks to be stored."""

    def __init__(self, names: re.Pattern[bytes]) -> None:
        self._names = names
        self._requests = Frames()
        self._answers = Frames()
        self._asked: defaultdict[int, bytearray] = defaultdict(bytearray)

    def receive(self, piece: bytes) -> None:
        """The client sent this."""
        for stream, content in self._requests.data(piece):
            self._asked[stream] += content

    def send(self, piece: bytes) -> frozenset[str]:
        """The server sent this; what was named in the requests that it thereby answers.

        An error has no content, only trailers: it answers nothing.
        """
        answered: set[str] = set()
        for stream, _ in self._answers.data(piece):
            asked = self._asked.pop(stream, bytearray())
            answered.update(found.decode() for found in self._names.findall(asked))
        return frozenset(answered)
