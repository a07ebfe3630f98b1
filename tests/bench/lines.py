"""What a bench prints: a figure, the floor measured beside it in the same run, and their ratio."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Line:
    """``target`` is a number of ``performance.md``; ``ratio`` is met at or above ``bar``."""

    target: str
    what: str
    ours: str
    floor: str
    ratio: float
    bar: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.target:>3}  {self.what:<46} {self.ours:>22} {self.floor:>22} "
            f"{self.ratio:6.2f} ({sign} {self.bar:g})  {verdict}"
        )


@dataclass(frozen=True, slots=True)
class Note:
    """A figure without a target."""

    what: str
    figures: str

    def __str__(self) -> str:
        return f"{'':>3}  {self.what:<46} {self.figures}"


HEADING = f"{'#':>3}  {'what':<46} {'ours':>22} {'floor':>22}  ratio"


def middle(values: list[float]) -> float:
    """The median of the rounds."""
    return float(median(values))
