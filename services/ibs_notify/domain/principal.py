"""Who makes a call, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What the holder of a token may do; ``rpc.access`` has the table of every rpc."""

    EMITTER = "emitter"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Service(StrEnum):
    """A service that calls another one, proved by its certificate."""

    CONFIG = "config"
    ROUTER = "router"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an emitter may emit of; empty: of anything but what the system itself tells.

    ``sources`` are first parts of types; ``resources`` canonical ones, each with what is below it.
    """

    sources: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


UNBOUND = Bounds()
"""Of who is no emitter: it is told by its identity, so that nothing is looked at."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call. ``name`` is what changes and the audit log show.

    ``standing`` is a role or a service; ``None`` for who proved nothing. ``token_id`` is empty
    unless a token was presented.
    """

    name: str
    standing: Role | Service | None = None
    token_id: str = ""
    bounds: Bounds = UNBOUND


NOBODY = Principal("unknown")
