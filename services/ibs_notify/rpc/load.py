"""How many calls are under way, and how many may be."""

from __future__ import annotations

from typing import Final

from ibs_notify.domain.errors import Reason, ResourceExhausted

MOST_CALLS: Final = 4096
"""Calls with one answer, of all rpcs of a service together."""
MOST_STREAMS: Final = 1024
"""Streams of one rpc, such as ``WatchEvents``: each stays for as long as its client does."""

MOST_STREAMS_OF_A_TOKEN: Final = 256
"""Of all rpcs of a service together, so that one holder does not take the place of all others."""


class Load:
    """``with load:`` around a call; ResourceExhausted where as many as may be are under way."""

    def __init__(self, most: int, what: str) -> None:
        """``what`` names them in the error: ``calls``, ``streams of WatchEvents``."""
        self._most = most
        self._what = what
        self._under_way = 0

    def __enter__(self) -> None:
        if self._under_way >= self._most:
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS,
                f"{self._most} {self._what} are under way, which is all that this service takes",
                advice="try again with growing pauses",
            )
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
