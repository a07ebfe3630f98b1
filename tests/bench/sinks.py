"""Peers that accept everything and keep nothing, on the server's core: ``webhook`` or ``mail``."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def webhook() -> None:
    """Counts requests; ``GET /count`` tells how many."""
    count = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal count
        await request.read()
        count += 1
        return web.Response(status=204)

    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=str(count))

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/{path:.*}", take)
    app.router.add_get("/count", tell)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def mail() -> None:
    """The least SMTP server: 250 to everything."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while await reader.readline() != b".\r\n":
                    pass
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run({"webhook": webhook, "mail": mail}[sys.argv[1]]())
