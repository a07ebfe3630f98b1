"""An open page, as far as it listens: the messages of a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Message:
    """``name`` is empty for a sign of life."""

    name: str
    data: dict[str, Any]


class Listener:
    """``next`` is the next message; ``None`` once the stream has ended."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> Message | None:
        name, data, seen = "", "", False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.answer.content.readline()).decode():
                key, _, value = line.rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    data = value
                elif not line.strip() and seen:
                    return Message(name, json.loads(data) if data else {})
                seen = True
        return None

    async def named(self, name: str) -> Message:
        """The next message of that name, whatever comes before it."""
        while True:
            message = await self.next()
            assert message is not None, f"the stream ended before {name!r}"
            if message.name == name:
                return message

    async def end(self) -> str:
        """Read to the end; the last message's name."""
        last = ""
        while (message := await self.next()) is not None:
            last = message.name or last
        return last


@asynccontextmanager
async def listening(
    http: aiohttp.ClientSession, url: str, cookie: str = ""
) -> AsyncIterator[Listener]:
    """One page, open until the end of the block."""
    headers = {"Cookie": cookie} if cookie else {}
    async with http.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Listener(answer)
