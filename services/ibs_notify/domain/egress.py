"""Where targets may reach: which addresses and ports Delivery connects to. Pure.

The setting ``egress_allow`` is a list: nothing is reached that it does not hold. What no
notification is for, and the ports of this installation itself, are refused whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final

from ibs_notify.domain.address_ranges import IpAddress, IpNetwork, Kind, ends_of, range_of

WORDS: Final = (Kind.PUBLIC, Kind.PRIVATE, Kind.LOOPBACK)
NONE: Final = "none"
USUAL: Final = {
    "development": (Kind.PUBLIC, Kind.PRIVATE, Kind.LOOPBACK),
    "production": (Kind.PUBLIC, Kind.PRIVATE),
}
"""What an empty setting means, by profile."""


class Ruling(StrEnum):
    """Whether a connection may be made, and why not."""

    ALLOWED = "ALLOWED"
    NEVER_ALLOWED = "NEVER_ALLOWED"
    """The address is in a range that is refused in any case."""
    OWN_PORT = "OWN_PORT"
    """A service of this installation, or its database, is there."""
    NOT_LISTED = "NOT_LISTED"
    """The setting does not hold the address."""
    NO_ADDRESS = "NO_ADDRESS"
    """What was to be dialled is no plain IP address."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """``why`` is a sentence for people; empty where it is allowed."""

    ruling: Ruling
    why: str = ""


@dataclass(frozen=True, slots=True)
class OwnEndpoint:
    """Where a service or database of this installation is; ``host`` is a name or an address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """``kinds`` and ``networks`` may be reached, ``own`` may not."""

    kinds: frozenset[Kind]
    networks: tuple[IpNetwork, ...] = ()
    own: tuple[OwnEndpoint, ...] = ()

    @property
    def own_ports(self) -> frozenset[int]:
        return frozenset(each.port for each in self.own)


_ALLOWED: Final = Judgement(Ruling.ALLOWED)


def parse_policy(allow: str, profile: str, own: Iterable[OwnEndpoint] = ()) -> EgressPolicy:
    """The policy of a setting ``egress_allow``. Raises ValueError with what is wrong in it."""
    words = [word.strip().lower() for word in allow.split(",") if word.strip()]
    if not words:
        return EgressPolicy(frozenset(USUAL[profile]), own=tuple(own))
    if NONE in words:
        if len(words) > 1:
            raise ValueError(f"{NONE} stands alone")
        return EgressPolicy(frozenset(), own=tuple(own))
    kinds = frozenset(kind for kind in WORDS if kind in words)
    networks = tuple(_network(word) for word in words if word not in WORDS)
    return EgressPolicy(kinds, networks, tuple(own))


def judge(policy: EgressPolicy, host: str, port: int, *, is_here: bool = False) -> Judgement:
    """Whether a connection to the address ``host``, as it is dialled, may be made.

    ``is_here``: the address is one of this machine.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return Judgement(Ruling.NO_ADDRESS, f"{host!r} is no plain IP address")
    for end in ends_of(address):
        judgement = _judge(policy, end, port, is_here=is_here)
        if judgement.ruling is not Ruling.ALLOWED:
            return judgement
    return _ALLOWED


def never_reached(host: str) -> str:
    """Why no target is ever reached at ``host``; empty for names and for any other address."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    ranges = [range_of(end) for end in ends_of(address)]
    return next((f"{host} is {each}" for each in ranges if each.kind is Kind.NEVER), "")


def _judge(policy: EgressPolicy, address: IpAddress, port: int, *, is_here: bool) -> Judgement:
    place = range_of(address)
    if place.kind is Kind.NEVER:
        return Judgement(
            Ruling.NEVER_ALLOWED, f"{address} is {place}, where no target may ever reach"
        )
    if port in policy.own_ports:
        is_here = is_here or place.kind is Kind.LOOPBACK
        if any(_is_own(each, address, place.kind, port, is_here=is_here) for each in policy.own):
            return Judgement(
                Ruling.OWN_PORT,
                f"{address} port {port} belongs to this installation itself, which is no target",
            )
    if place.kind in policy.kinds or _holds(policy.networks, address):
        return _ALLOWED
    return Judgement(
        Ruling.NOT_LISTED,
        f"{address} is {place}, which Delivery's setting egress_allow does not list",
    )


def _is_own(
    endpoint: OwnEndpoint, address: IpAddress, kind: Kind, port: int, *, is_here: bool
) -> bool:
    if port != endpoint.port:
        return False
    if is_here or endpoint.host.lower() == "localhost":
        return is_here
    try:
        own = ip_address(endpoint.host)
    except ValueError:
        # A name may stand for any address of the site, and for another one tomorrow.
        return kind is not Kind.PUBLIC
    if own.is_unspecified:
        # Seen from a container, its published ports are on addresses of another machine.
        return kind is not Kind.PUBLIC
    # By number: the zone of an address does not make it another one.
    return any(
        (each.version, int(each)) == (address.version, int(address)) for each in ends_of(own)
    )


def _holds(networks: Collection[IpNetwork], address: IpAddress) -> bool:
    return any(address in network for network in networks)


def _network(word: str) -> IpNetwork:
    try:
        network = ip_network(word)
    except ValueError as error:
        raise ValueError(
            f"{word!r} is neither a network such as 10.20.0.0/16 nor one of "
            f"{', '.join(WORDS)}, {NONE} ({error})"
        ) from None
    place = range_of(network.network_address)
    if place.kind is Kind.NEVER and network.subnet_of(place.network):  # type: ignore[arg-type]
        raise ValueError(f"{word} is {place}, where no target may ever reach")
    return network
