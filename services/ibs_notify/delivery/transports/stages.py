"""The steps of an attempt: how long each took, and the first that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Stage, Verdict
from ibs_notify.domain.clock import Clock


class AttemptFailed(Exception):
    """Ends an attempt with ``outcome``; never leaves the transports."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def retry(reason: OutcomeReason, reply: str, *, code: int = 0) -> AttemptFailed:
    """The attempt may succeed later."""
    return AttemptFailed(Outcome(Verdict.RETRY, reason, code, reply))


def refused(reason: OutcomeReason, reply: str, *, code: int = 0) -> AttemptFailed:
    """No later attempt can succeed."""
    return AttemptFailed(Outcome(Verdict.REFUSED, reason, code, reply))


class StageLog:
    """Collects the stages of one attempt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time the block; call what it yields with the detail to show. Failures are noted too."""
        detail = ""

        def note(text: str) -> None:
            nonlocal detail
            detail = text

        start = self._clock.monotonic()
        try:
            yield note
        except AttemptFailed as failure:
            self._add(name, start, failure.outcome.reply, ok=False)
            raise
        else:
            self._add(name, start, detail, ok=True)

    def add_failure(self, name: str, detail: str) -> None:
        """Note a step that could not even begin."""
        self.stages.append(Stage(name, ok=False, detail=detail, duration_ms=0.0))

    def _add(self, name: str, start: float, detail: str, *, ok: bool) -> None:
        milliseconds = (self._clock.monotonic() - start) * 1000
        self.stages.append(Stage(name, ok=ok, detail=detail, duration_ms=milliseconds))
