"""Ways to make a target reach where it must not, as an attacker who may write targets has them.

Each name below is served by the DNS server of ``egress_world``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

CANARY_PORT = 8888
OWN_PORTS = (50051, 50052, 50053, 5432)
PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:2800:21f:cb07::14"


class Gate(StrEnum):
    """What refuses it; with the other list, the same target connects."""

    ALWAYS = "always"
    """No list opens it."""
    LIST = "list"
    """The list does not hold it."""


@dataclass(frozen=True, slots=True)
class Vector:
    """``host`` as a target has it, without brackets. ``rebinding`` answers may also be public."""

    kind: str
    host: str
    gate: Gate
    port: int = CANARY_PORT
    rebinding: bool = False


LOOPBACK = (
    *("127.0.0.1", "127.1.2.3", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1"),
    *("localhost", "localhost.", "LOCALHOST", "2606:2800::5efe:127.0.0.1"),
)
NUMBERS = (
    *("2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1"),
    *("0x7f.1", "0177.1", "127.0.0.01", "0x7F.0x0.0x0.0x1"),
)
METADATA_NUMBERS = (
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
)
PRIVATE = (
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "100.64.0.1"),
    *("100.127.255.254", "fd00::1", "fc12:3456::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"),
    *("167772161", "0x0a000001", "10.1", "012.0.0.1", "2606:2800::5efe:10.0.0.1"),
)
NEVER = (
    *("169.254.169.254", "169.254.170.2", "169.254.0.1", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "0.0.0.0", "0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "192.88.99.1"),
    *("::", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:0.0.0.0", "::127.0.0.1"),
    *("::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::"),
    *("2002:a9fe:a9fe::1", "2002:7f00:1::1", "2002:a00:1::1", "2001:0:7f00:1::f5ff:fffe"),
    *("2001:db8::1", "2001:2::1", "3fff::1", "100::1", "4000::1", "5f00::1", "fe80::1%lo"),
    *("fe80::1", "fec0::1", "ff02::1%lo", "ff05::2", "fd00:ec2::254", "fd20:ce::254"),
    *("2606:2800::5efe:169.254.169.254", "2606:2800::200:5efe:169.254.169.254"),
)
NAMES_IN_LIST = (
    *("a-loopback.test", "aaaa-loopback.test", "a-private.test", "aaaa-private.test"),
    *("cname-private.test", "cname-chain.test", "127.0.0.1.wild.test", "trailing-dot.test."),
    *("mapped-loopback.test", "nat64-private.test", "loopback-and-private.test"),
)
NAMES_ALWAYS = (
    *("a-metadata.test", "a-zero.test", "cname-metadata.test", "mapped-metadata.test"),
    *("nat64-metadata.test", "6to4-metadata.test", "teredo.test", "multicast.test"),
    *("compatible.test", "ec2-metadata.test", "link-local.test", "all-refused.test"),
)
REBINDING = (
    *("flip-metadata.test", "flip-loopback.test", "flip-private.test", "flip-family.test"),
    *("mixed-metadata.test", "mixed-loopback.test", "mixed-family.test", "cname-flip.test"),
)
OWN_HOSTS = (
    *("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "10.9.8.7"),
    *("a-loopback.test", "2130706433", "64:ff9b::7f00:1"),
)


def vectors() -> Iterator[Vector]:
    """All of them, for a list that holds public addresses only."""
    for kind, gate, hosts in (
        ("loopback", Gate.LIST, LOOPBACK),
        ("number", Gate.LIST, NUMBERS),
        ("number", Gate.ALWAYS, METADATA_NUMBERS),
        ("private", Gate.LIST, PRIVATE),
        ("special", Gate.ALWAYS, NEVER),
        ("name", Gate.LIST, NAMES_IN_LIST),
        ("name", Gate.ALWAYS, NAMES_ALWAYS),
    ):
        for host in hosts:
            yield Vector(kind, host, gate)
    for host in REBINDING:
        yield Vector("rebinding", host, Gate.LIST, rebinding=True)


def own_port_vectors() -> Iterator[Vector]:
    """The ports of this installation itself, which no list opens."""
    for port in OWN_PORTS:
        for host in OWN_HOSTS:
            yield Vector("own port", host, Gate.ALWAYS, port)


URL_TRICKS = (
    "http://{public}@127.0.0.1:8888/",
    "http://{public}:80@127.0.0.1:8888/",
    "http://127.0.0.1:8888\\@{public}/",
    "http://{public}\\@127.0.0.1:8888/",
    "http://{public}#@127.0.0.1:8888/",
    "http://{public}/..//127.0.0.1:8888/",
    "http://127。0。0。1:8888/",
    "http://127．0．0．1:8888/",
    "http://１２７.0.0.1:8888/",
    "http://①②⑦.0.0.1:8888/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:8888/",
    "http://local\u00adhost:8888/",
    "http://localhost\u3002:8888/",
    "http://%31%32%37.0.0.1:8888/",
    "http://127.0.0.1%2e:8888/",
    "http://127.0.0.1%00.{public}:8888/",
    "http://[::1]{public}:8888/",
    "http://{public}[::1]:8888/",
    "http://[::1%25lo]:8888/",
    "http://[fe80::1%25lo]:8888/",
    "http://0x7f.1:8888/",
    "http://127.0.0.1:0008888/",
    "http://127.0.0.1:8888:80/",
    "http://127.0.0.1:74424/",
    "http://127.0.0.1:0/",
    "HTTP://LOCALHOST:8888/",
    "http:127.0.0.1:8888/",
    "http:///127.0.0.1:8888/",
    "//127.0.0.1:8888/",
    "ftp://127.0.0.1:8888/",
    "gopher://127.0.0.1:8888/_x",
    "file:///etc/hostname",
    "unix:///run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/",
    "ws://127.0.0.1:8888/",
    "http://127.0.0.1:8888/\r\nHost: {public}",
)
"""Addresses that two readers may read differently. ``{public}`` is a public address."""

REDIRECTS = tuple(
    (status, location)
    for status in (301, 302, 303, 307, 308)
    for location in (
        "http://127.0.0.1:8888/",
        "http://169.254.169.254:8888/latest/meta-data/",
        "//10.0.0.1:8888/",
        "http://[::1]:8888/",
        "http://a-metadata.test:8888/",
    )
)
PROXY_PORT = 3128
_PROXIED = ("http", "https", "ftp", "all", "socks", "ws")
PROXIES = {
    name: f"http://{PUBLIC}:{PROXY_PORT}"
    for scheme in _PROXIED
    for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
} | {"NO_PROXY": "", "no_proxy": ""}
"""Set all along. Nothing may ever connect to ``PROXY_PORT``."""
