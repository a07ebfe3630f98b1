"""What an IP address is for, by the IANA registries of special-purpose addresses.

An own table, since the standard library's ``is_global`` says yes to forms that reach inside, such
as the NAT64 and 6to4 forms of link-local addresses. Of IPv6 only what is assigned counts as public.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


class Kind(StrEnum):
    """Who may be there. The first three are words of the setting ``egress_allow``."""

    PUBLIC = "public"
    """Anybody on the internet."""
    PRIVATE = "private"
    """The site's own network."""
    LOOPBACK = "loopback"
    """This machine."""
    NEVER = "never"
    """Nobody whom a notification is for: metadata services, groups, what is reserved or a form
    that hides another address."""


@dataclass(frozen=True, slots=True)
class AddressRange:
    """``name`` reads after "is"; ``source`` is the document that reserves it."""

    network: IpNetwork
    kind: Kind
    name: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"


def _range(network: str, kind: Kind, name: str, source: str) -> AddressRange:
    return AddressRange(ip_network(network), kind, name, source)


RANGES: Final = (
    _range("0.0.0.0/0", Kind.PUBLIC, "a public address", "RFC 791"),
    _range("0.0.0.0/8", Kind.NEVER, "an unspecified address", "RFC 791"),
    _range("10.0.0.0/8", Kind.PRIVATE, "a private address", "RFC 1918"),
    _range("100.64.0.0/10", Kind.PRIVATE, "an address behind a carrier's NAT", "RFC 6598"),
    _range("100.100.100.200/32", Kind.NEVER, "a metadata service", "Alibaba Cloud"),
    _range("127.0.0.0/8", Kind.LOOPBACK, "a loopback address", "RFC 1122"),
    _range("168.63.129.16/32", Kind.NEVER, "a metadata service", "Azure"),
    _range("169.254.0.0/16", Kind.NEVER, "a link-local or metadata address", "RFC 3927"),
    _range("172.16.0.0/12", Kind.PRIVATE, "a private address", "RFC 1918"),
    _range("192.0.0.0/24", Kind.NEVER, "an address of protocols", "RFC 6890"),
    _range("192.0.2.0/24", Kind.NEVER, "a documentation address", "RFC 5737"),
    _range("192.88.99.0/24", Kind.NEVER, "a 6to4 relay", "RFC 7526"),
    _range("192.168.0.0/16", Kind.PRIVATE, "a private address", "RFC 1918"),
    _range("198.18.0.0/15", Kind.NEVER, "a benchmark address", "RFC 2544"),
    _range("198.51.100.0/24", Kind.NEVER, "a documentation address", "RFC 5737"),
    _range("203.0.113.0/24", Kind.NEVER, "a documentation address", "RFC 5737"),
    _range("224.0.0.0/4", Kind.NEVER, "a multicast group", "RFC 5771"),
    _range("240.0.0.0/4", Kind.NEVER, "a reserved address", "RFC 1112"),
    _range("255.255.255.255/32", Kind.NEVER, "the broadcast address", "RFC 919"),
    _range("::/0", Kind.NEVER, "not assigned", "RFC 4291"),
    _range("::/96", Kind.NEVER, "an IPv4-compatible address", "RFC 4291"),
    _range("::/128", Kind.NEVER, "an unspecified address", "RFC 4291"),
    _range("::1/128", Kind.LOOPBACK, "a loopback address", "RFC 4291"),
    _range("::ffff:0:0/96", Kind.NEVER, "the IPv6 form of an IPv4 address", "RFC 4291"),
    _range("::ffff:0:0:0/96", Kind.NEVER, "an IPv4-translated address", "RFC 2765"),
    _range("64:ff9b::/96", Kind.NEVER, "the NAT64 form of an IPv4 address", "RFC 6052"),
    _range("64:ff9b:1::/48", Kind.NEVER, "a local form of an IPv4 address", "RFC 8215"),
    _range("100::/64", Kind.NEVER, "a discard address", "RFC 6666"),
    _range("100:0:0:1::/64", Kind.NEVER, "a dummy address", "RFC 9780"),
    _range("2000::/3", Kind.PUBLIC, "a public address", "RFC 4291"),
    _range("2001::/23", Kind.NEVER, "an address of protocols", "RFC 2928"),
    _range("2001::/32", Kind.NEVER, "a Teredo address", "RFC 4380"),
    _range("2001:2::/48", Kind.NEVER, "a benchmark address", "RFC 5180"),
    _range("2001:db8::/32", Kind.NEVER, "a documentation address", "RFC 3849"),
    _range("2002::/16", Kind.NEVER, "a 6to4 address", "RFC 3056"),
    _range("3fff::/20", Kind.NEVER, "a documentation address", "RFC 9637"),
    _range("5f00::/16", Kind.NEVER, "a segment of routing", "RFC 9602"),
    _range("fc00::/7", Kind.PRIVATE, "a private address", "RFC 4193"),
    _range("fd00:42::42/128", Kind.NEVER, "a metadata service", "Scaleway"),
    _range("fd00:ec2::254/128", Kind.NEVER, "a metadata service", "AWS"),
    _range("fd20:ce::254/128", Kind.NEVER, "a metadata service", "Google Cloud"),
    _range("fe80::/10", Kind.NEVER, "a link-local address", "RFC 4291"),
    _range("fec0::/10", Kind.NEVER, "a site-local address", "RFC 3879"),
    _range("ff00::/8", Kind.NEVER, "a multicast group", "RFC 4291"),
)
"""Where two hold the same address, the smaller one counts."""

_NAT64: Final = int(IPv6Address("64:ff9b::"))
_LOW_32: Final = 0xFFFF_FFFF
_Bounds = tuple[int, int, AddressRange]


def _smallest_first(version: int) -> tuple[_Bounds, ...]:
    own = [each for each in RANGES if each.network.version == version]
    own.sort(key=lambda each: -each.network.prefixlen)
    return tuple(
        (int(each.network.network_address), int(each.network.broadcast_address), each)
        for each in own
    )


_BY_VERSION: Final = {4: _smallest_first(4), 6: _smallest_first(6)}


def range_of(address: IpAddress) -> AddressRange:
    """The smallest range of the table that holds ``address``; its zone does not count."""
    number = int(address)
    return next(
        found for first, last, found in _BY_VERSION[address.version] if first <= number <= last
    )


def ends_of(address: IpAddress) -> Iterator[IpAddress]:
    """Where a connection to ``address`` may end: where it holds an IPv4 address, there as well.

    A mapped address and one of NAT64 with its well-known prefix stand for nothing else.
    """
    if address.version == 4:
        yield address
        return
    number = int(address)
    inner = IPv4Address(number & _LOW_32)
    if number >> 32 in (0xFFFF, _NAT64 >> 32):
        yield inner
        return
    yield address
    if (number >> 32 & _LOW_32) in (0x5EFE, 0x0200_5EFE):  # ISATAP, RFC 5214 section 6.1
        yield inner
