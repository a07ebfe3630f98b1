"""Who a call is from: what the caller says, and what was proved before its handler ran."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import grpc

from ibs_notify.domain.principal import NOBODY, Principal

USER_KEY = "ibs-user"
"""The metadata key that says who a call is from, where nobody has to prove it."""

_PROVED: ContextVar[Principal] = ContextVar("ibs-principal", default=NOBODY)
"""Each call is a task of its own, so what is set in one is seen by no other."""


def calling_as(caller: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that says so; it is ASCII, and what is not is written out."""
    return ((USER_KEY, caller.encode("ascii", "backslashreplace").decode()),)


def proved(principal: Principal) -> None:
    """Let the handler of this call know who it is for."""
    _PROVED.set(principal)


def principal() -> Principal:
    """Who this call was proved to be from; ``NOBODY`` where nothing was proved."""
    return _PROVED.get()


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The name to write beside what a call changes: the proved one, else what it says it is.

    ``unknown`` where it says nothing.
    """
    known = principal()
    if known.standing is not None:
        return known.name
    for key, value in context.invocation_metadata() or ():
        if key == USER_KEY:
            name = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            return name[:256] or NOBODY.name
    return NOBODY.name
