"""Reads an answer and little more: what a peer sends beside it is neither parsed nor kept."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

MOST_INTERIM: Final = 16
"""Answers such as 100 Continue before the one that counts."""
MOST_RECEIVED: Final = 1024 * 1024
"""Bytes of one answer. Of its body much less is read; the rest is chunk sizes without end."""
_PIECE: Final = 16 * 1024
"""Bytes that are parsed and kept at a time: the shortest answers and chunks are a hundred times
larger as objects."""


class AnswerReader(ResponseHandler):
    """aiohttp's protocol, which alone would parse and keep all answers that come at once."""

    _received = 0

    def set_response_params(self, **options: Any) -> None:
        self._received = 0
        super().set_response_params(read_bufsize=_PIECE, **options)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if len(data) <= _PIECE and not self._buffer and self._received <= MOST_RECEIVED:
            super().data_received(data)
            return
        for start in range(0, len(data), _PIECE):
            if len(self) > MOST_INTERIM or self._received > MOST_RECEIVED:
                self._give_up()
                return
            super().data_received(data[start : start + _PIECE])

    def _give_up(self) -> None:
        self.set_exception(_too_much())
        if self.transport is not None:
            self.transport.abort()


async def answer(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The answer that counts. Raises what ``protocol`` found to be wrong."""
    for _ in range(MOST_INTERIM):
        message, payload = await protocol.read()
        if not 100 <= message.code < 200 or message.code == 101:
            return message, payload
    raise _too_much()


def protocol_factory() -> partial[AnswerReader]:
    """Makes the protocol of each connection of the running event loop."""
    return partial(AnswerReader, asyncio.get_running_loop())


def _too_much() -> HttpProcessingError:
    return HttpProcessingError(message="more than was asked for")
