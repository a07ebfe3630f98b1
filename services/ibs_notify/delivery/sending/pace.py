"""How many deliveries a lane claims ahead of its slots. Pure."""

from __future__ import annotations

AHEAD_SECONDS = 0.01
MOST_AHEAD = 48
_WEIGHT = 1 / 16


def most_ahead(attempt_seconds: float, concurrency: int) -> int:
    """What ``concurrency`` slots send within ``AHEAD_SECONDS``, ``MOST_AHEAD`` at most.

    So a fast target is never short of deliveries while a transaction is written, and something more
    urgent that arrives meanwhile waits no longer than that. A target whose attempts take longer has
    nothing ahead. ``attempt_seconds`` is infinite where nothing is known.
    """
    return int(min(MOST_AHEAD, AHEAD_SECONDS * concurrency / max(attempt_seconds, 1e-6)))


def smoothed(average: float, seconds: float) -> float:
    """The average of attempts after one more, which took ``seconds``; the last 16 or so count."""
    if average > seconds / _WEIGHT:
        return seconds
    return average + (seconds - average) * _WEIGHT
