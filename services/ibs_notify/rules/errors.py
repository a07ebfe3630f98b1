"""What is wrong with a rule, where, and what was probably meant."""

from __future__ import annotations

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.rules.ast import Position

_SHOWN = 60


class RuleError(InvalidArgument):
    """A rule that cannot be understood. ``message`` and ``advice`` say all of it in words.

    ``line`` and ``column`` count from 1, columns in characters; ``expected`` says what may stand
    there; ``suggestion`` is the text that was probably meant, or empty. ``problem`` is the message
    without the place.
    """

    def __init__(
        self,
        at: Position,
        problem: str,
        *,
        expected: str = "",
        suggestion: str = "",
        advice: str = "",
    ) -> None:
        if expected:
            problem += f"; expected {expected}"
        message = f"line {at.line}, column {at.column}: {problem}"
        if not advice and suggestion:
            advice = f"did you mean {shown(suggestion)}?"
        super().__init__(Reason.RULE_INVALID, message, advice=advice)
        self.problem = problem
        self.line = at.line
        self.column = at.column
        self.expected = expected
        self.suggestion = suggestion

    def offset_in(self, text: str) -> int:
        """The place as a number of characters from the beginning of the rule."""
        lines = text.split("\n")[: self.line - 1]
        return sum(len(each) + 1 for each in lines) + self.column - 1


def shown(text: str) -> str:
    """``text`` in backquotes for a message: on one line, and not without end."""
    flat = "".join(each if each.isprintable() else " " for each in text)
    return f"`{flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + '…'}`"


def position_of(text: str, offset: int) -> Position:
    """The line and column of the character at ``offset``."""
    return Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
