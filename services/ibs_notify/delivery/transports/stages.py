"""The steps of an attempt: how long each took, and the first that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ibs_notify.delivery.transports.base import (
    Began,
    Outcome,
    OutcomeReason,
    Stage,
    Tell,
    Verdict,
    untold,
)
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
    """Collects the stages of one attempt, each detail through ``redact``; ``tell`` hears them."""

    def __init__(
        self, clock: Clock, redact: Callable[[str], str] = str, tell: Tell = untold
    ) -> None:
        self._clock = clock
        self._redact = redact
        self._tell = tell
        self._under_way = ""
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time the block; call what it yields with the detail to show. Failures are noted too."""
        detail = ""

        def note(text: str) -> None:
            nonlocal detail
            detail = text

        start = self._clock.monotonic()
        self._begin(name)
        try:
            yield note
        except AttemptFailed as failure:
            self._add(name, start, failure.outcome.reply, ok=False)
            raise
        else:
            self._add(name, start, detail, ok=True)

    def add_failure(self, name: str, detail: str) -> None:
        """Note what ended the step under way; without one, that step ``name`` could not begin."""
        if not self._under_way:
            self._begin(name)
        self._end(Stage(self._under_way, ok=False, detail=self._redact(detail), duration_ms=0.0))

    def _add(self, name: str, start: float, detail: str, *, ok: bool) -> None:
        milliseconds = (self._clock.monotonic() - start) * 1000
        self._end(Stage(name, ok=ok, detail=self._redact(detail), duration_ms=milliseconds))

    def _begin(self, name: str) -> None:
        self._under_way = name
        self._tell(Began(name))

    def _end(self, stage: Stage) -> None:
        self._under_way = ""
        self.stages.append(stage)
        self._tell(stage)
