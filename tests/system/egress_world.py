"""A network of its own in which every address there is ends at a canary.

    unshare --net --mount python -m tests.system.egress

All of IPv4 and IPv6 is routed to the loopback interface (AnyIP), so that a listener on the
wildcard address sees each connection that anybody tries, wherever it was to go. Names are answered
by a server in this process; ``/etc/resolv.conf`` and ``/etc/hosts`` are replaced for this mount
namespace alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dnslib import AAAA, CNAME, QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from tests.system.egress_vectors import PUBLIC, PUBLIC_6

WEB_PORT = 80
_MARKERS = ("127.0.0.99", "fd99::99")
"""Where connections come from that only mark a moment."""
_SETUP = (
    "ip link set lo up",
    "ip addr add 10.9.8.7/32 dev lo",
    "ip -6 addr add fe80::1/64 dev lo nodad",
    "ip -6 addr add fd99::1/128 dev lo nodad",
    # Deprecated, so that only who binds to it has it as a source.
    "ip -6 addr add fd99::99/128 dev lo nodad preferred_lft 0",
    "ip route add local 0.0.0.0/0 dev lo",
    "ip -6 route add local ::/0 dev lo",
)
_ZONE: dict[str, Sequence[Sequence[str]]] = {
    "public.test": [[PUBLIC, PUBLIC_6]],
    "a-loopback.test": [["127.0.0.1"]],
    "aaaa-loopback.test": [["::1"]],
    "a-private.test": [["10.1.2.3"]],
    "aaaa-private.test": [["fd00::7"]],
    "trailing-dot.test": [["192.168.7.7"]],
    "a-metadata.test": [["169.254.169.254"]],
    "a-zero.test": [["0.0.0.0"]],
    "mapped-loopback.test": [["::ffff:127.0.0.1"]],
    "mapped-metadata.test": [["::ffff:169.254.169.254"]],
    "nat64-private.test": [["64:ff9b::10.1.2.3"]],
    "nat64-metadata.test": [["64:ff9b::169.254.169.254"]],
    "6to4-metadata.test": [["2002:a9fe:a9fe::1"]],
    "teredo.test": [["2001:0:7f00:1::1"]],
    "multicast.test": [["224.0.0.1", "ff02::1"]],
    "compatible.test": [["::127.0.0.1"]],
    "ec2-metadata.test": [["fd00:ec2::254"]],
    "link-local.test": [["fe80::1"]],
    "all-refused.test": [["169.254.169.254", "224.0.0.1", "fe80::1", "::", "0.0.0.0"]],
    "loopback-and-private.test": [["127.0.0.1", "10.1.2.3", "::1", "fd00::7"]],
    "cname-private.test": [["a-private.test"]],
    "cname-metadata.test": [["a-metadata.test"]],
    "cname-chain.test": [["cname-1.test"]],
    "cname-1.test": [["cname-2.test"]],
    "cname-2.test": [["a-loopback.test"]],
    "flip-metadata.test": [[PUBLIC], ["169.254.169.254"]],
    "flip-loopback.test": [[PUBLIC], ["127.0.0.1"]],
    "flip-private.test": [["10.1.2.3"], [PUBLIC]],
    "flip-family.test": [[PUBLIC], ["::1"]],
    "mixed-metadata.test": [["169.254.169.254", PUBLIC]],
    "mixed-loopback.test": [[PUBLIC, "127.0.0.1", "::1", PUBLIC_6]],
    "mixed-family.test": [[PUBLIC, "fe80::1", "::1"]],
    "cname-flip.test": [["flip-metadata.test"], ["flip-loopback.test"]],
}
"""Name to answers: one after the other in turn, each with a TTL of 0."""


class _Zone(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        self._answer(reply, name, QTYPE[request.q.qtype])
        return reply

    def _answer(self, reply: DNSRecord, name: str, kind: str) -> None:
        if name.endswith(".wild.test"):
            turns: Sequence[Sequence[str]] = [[name.removesuffix(".wild.test")]]
        else:
            turns = _ZONE.get(name, [[]])
        turn = self.asked[name, kind]
        self.asked[name, kind] += 1
        for each in turns[turn % len(turns)]:
            try:
                address = ipaddress.ip_address(each)
            except ValueError:
                reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(each), ttl=0))
                self._answer(reply, each, kind)
                continue
            if (kind, address.version) == ("A", 4):
                reply.add_answer(RR(name, QTYPE.A, rdata=A(each), ttl=0))
            if (kind, address.version) == ("AAAA", 6):
                plain = address.packed.hex(":", 2)
                reply.add_answer(RR(name, QTYPE.AAAA, rdata=AAAA(plain), ttl=0))


@contextmanager
def world() -> Iterator[None]:
    """Set up the namespace that this process is in; refuses to touch the machine's own network."""
    links = [name for _, name in socket.if_nameindex()]
    if links != ["lo"]:
        sys.exit("start me in a network namespace of its own: unshare --net --mount")
    for command in _SETUP:
        subprocess.run(command.split(), check=True)
    with tempfile.TemporaryDirectory() as directory:
        for file, text in (
            ("resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:2\n"),
            ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
        ):
            source = Path(directory) / file
            source.write_text(text)
            subprocess.run(["mount", "--bind", source, f"/etc/{file}"], check=True)
        quiet = DNSLogger("-request,-reply")
        server = DNSServer(_Zone(), address="127.0.0.1", port=53, logger=quiet)
        server.start_thread()
        try:
            yield
        finally:
            server.stop()
            for file in ("resolv.conf", "hosts", "nsswitch.conf"):
                subprocess.run(["umount", f"/etc/{file}"], check=True)


@dataclass(slots=True)
class Canaries:
    """Counts connections by the address and port that they were made to."""

    ports: tuple[int, ...]
    connects: Counter[tuple[str, int]] = field(default_factory=Counter)
    redirect: tuple[int, str] = (200, "")
    """What the web server on port 80 answers: a status, a Location."""
    _markers: dict[tuple[str, int], asyncio.Event] = field(default_factory=dict)

    def take(self) -> Counter[tuple[str, int]]:
        """The connections since the last call."""
        seen, self.connects = self.connects, Counter()
        return seen

    async def settle(self) -> None:
        """Whatever was connected before this call is counted when it returns.

        A listener accepts in the order of arrival, and the last one to arrive is ours.
        """
        for port in self.ports:
            for source in _MARKERS:
                arrived = self._markers[source, port] = asyncio.Event()
                host = "::1" if ":" in source else "127.0.0.1"
                _, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
                async with asyncio.timeout(5):
                    await arrived.wait()
                writer.close()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("sockname")[:2]
        source = writer.get_extra_info("peername")[0]
        if source in _MARKERS:
            self._markers[source, port].set()
        else:
            self.connects[host, port] += 1
            if port == WEB_PORT:
                await self._redirect(reader, writer)
        writer.close()

    async def _redirect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status, location = self.redirect
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nRefresh: 0; url={location}\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def canaries(*ports: int) -> AsyncIterator[Canaries]:
    """Listeners on each of ``ports`` of every address, of both families."""
    counts = Canaries(ports)
    servers = [
        await asyncio.start_server(counts.accept, host, port, backlog=512)
        for port in ports
        for host in ("0.0.0.0", "::")
    ]
    try:
        yield counts
    finally:
        for server in servers:
            server.close()
