"""Collects what is wrong with a request, so that one answer names every bad field."""

from __future__ import annotations

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason


class Faults:
    """The bad fields found so far. True where there are any."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._reasons: set[Reason] = set()

    def __bool__(self) -> bool:
        return bool(self._violations)

    @property
    def only_reason(self) -> Reason | None:
        """The reason that all faults share; ``None`` where they differ or there are none."""
        return next(iter(self._reasons)) if len(self._reasons) == 1 else None

    def add(
        self, path: str, problem: str, advice: str = "", reason: Reason = Reason.FIELD_INVALID
    ) -> None:
        """Note that ``path`` is bad. An empty ``problem`` is none."""
        if problem:
            description = f"{problem} ({advice})" if advice else problem
            self._violations.append(FieldViolation(path, description))
            self._reasons.add(reason)

    def adopt(self, path: str, error: InvalidArgument) -> None:
        """Note what a parser found wrong with the text at ``path``."""
        if error.violations:
            self.add(path, error.violations[0].description, reason=error.reason)
        else:
            self.add(path, error.message, error.advice, error.reason)

    def raise_any(self) -> None:
        """``InvalidArgument`` with all faults; its reason is theirs where they share one."""
        if self._violations:
            raise InvalidArgument.of(self._violations, self.only_reason or Reason.FIELD_INVALID)
