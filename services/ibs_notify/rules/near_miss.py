"""Why a rule does not match: the fewest conditions that would have to differ, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import assert_never

from ibs_notify.domain.severity import Severity
from ibs_notify.rules.ast import Always, And, Atom, Field, Not, Operator, Or, Rule
from ibs_notify.rules.evaluate import Trace, severities_of
from ibs_notify.rules.format import format_rule, name

_ALIKE = 0.75
_MOST_SHOWN = 160
_MOST_INSTEAD = 60
_NAMED = 2
_STEPS = ("", "one step", "two steps", "three steps", "four steps")


@dataclass(frozen=True, slots=True)
class Difference:
    """A condition that would have to answer otherwise. ``actual`` is what the event has.

    ``wanted``: it would have to hold; else the rule leaves out what it matches. ``nearness`` says
    how close the event came, empty where it did not come close.
    """

    atom: Atom
    actual: str
    wanted: bool = True
    nearness: str = ""
    instead: tuple[Atom, ...] = ()
    """Other conditions of which each one alone would do as well."""

    @property
    def sentence(self) -> str:
        """``severity is warning, the rule wants severity >= error or source = verify``."""
        field = name(self.atom.field, self.atom.label)
        text = _shown(format_rule(self.atom)) + self._instead
        if not self.wanted:
            return f"{field} is {_shown(self.actual)}, the rule leaves out {text}"
        if self.actual:
            return f"{field} is {_shown(self.actual)}, the rule wants {text}"
        missing = f"label {self.atom.label}" if self.atom.field is Field.LABEL else field
        return f"it has no {missing}, the rule wants {text}"

    @property
    def _instead(self) -> str:
        said = [f" or {_shown(format_rule(each), _MOST_INSTEAD)}" for each in self.instead]
        more = f" or one of {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        return "".join(said[:_NAMED]) + more

    @property
    def near_miss(self) -> str:
        """The same with how near it is: ``… (one step too low)``; empty where it is not."""
        return f"{self.sentence} ({self.nearness})" if self.nearness else ""


def differences(rule: Rule, trace: Trace, *, wanted: bool = True) -> tuple[Difference, ...] | None:
    """The fewest conditions that would have to differ for ``rule`` to answer ``wanted``.

    ``trace`` is of the same rule. Empty where it answers so; ``None`` where it never can. Each
    condition is looked at by itself: whether one value can satisfy several is not asked.
    """
    if trace.holds is wanted:
        return ()
    match rule:
        case Always():
            return None
        case Atom():
            nearness = _nearness(rule, trace.actual) if wanted else ""
            return (Difference(rule, trace.actual, wanted, nearness),)
        case Not(part):
            return differences(part, trace.parts[0], wanted=not wanted)
        case And(parts) | Or(parts):
            found = [
                differences(part, each, wanted=wanted)
                for part, each in zip(parts, trace.parts, strict=True)
            ]
            return _all(found) if isinstance(rule, And) is wanted else _fewest(found)
        case _:
            assert_never(rule)


def _all(found: Sequence[tuple[Difference, ...] | None]) -> tuple[Difference, ...] | None:
    """What every part needs; the same condition at two places is named once."""
    every: dict[Difference, tuple[Atom, ...]] = {}
    for each in found:
        if each is None:
            return None
        for one in each:
            alone = replace(one, instead=())
            # What would do at one place only is no way around it.
            both = [atom for atom in every.get(alone, one.instead) if atom in one.instead]
            every[alone] = tuple(both)
    return tuple(replace(each, instead=instead) for each, instead in every.items())


def _fewest(found: Sequence[tuple[Difference, ...] | None]) -> tuple[Difference, ...] | None:
    """The part that needs least; of several such the one that came nearest."""
    possible = [each for each in found if each is not None]
    fewest = min(possible, key=_distance, default=None)
    if fewest is None or len(fewest) > 1 or not fewest[0].wanted:
        return fewest
    alone = [each[0] for each in possible if len(each) == 1 and each[0].wanted]
    atoms = dict.fromkeys(atom for each in alone for atom in (each.atom, *each.instead))
    return (replace(fewest[0], instead=tuple(each for each in atoms if each != fewest[0].atom)),)


def _distance(each: tuple[Difference, ...]) -> tuple[int, int]:
    return len(each), sum(not one.nearness for one in each)


def _nearness(atom: Atom, actual: str) -> str:
    if atom.field is Field.SEVERITY:
        return _steps(severities_of(atom), Severity.parse(actual))
    if not actual:
        return ""
    match atom.operator:
        case Operator.EQ | Operator.IN | Operator.STARTS_WITH | Operator.UNDER:
            return _closest(atom, actual)
        case Operator.ENDS_WITH | Operator.CONTAINS:
            folded = atom.value.casefold() in actual.casefold()
            return "it differs in case only" if folded else ""
        case (
            Operator.NE
            | Operator.NOT_IN
            | Operator.MATCHES
            | Operator.GE
            | Operator.GT
            | Operator.LE
            | Operator.LT
        ):
            return ""
        case _:
            assert_never(atom.operator)


def _steps(holding: frozenset[Severity], actual: Severity) -> str:
    """How far the severity is from the nearest that would do."""
    if not holding:
        return ""
    nearest = min(holding, key=lambda each: (abs(each - actual), -each))
    way = "low" if nearest > actual else "high"
    return f"{_STEPS[abs(nearest - actual)]} too {way}"


def _closest(atom: Atom, actual: str) -> str:
    """What ``actual`` shares with the value that it resembles most."""
    begins = atom.operator in (Operator.STARTS_WITH, Operator.UNDER)
    if any(_same(each, actual[: len(each)] if begins else actual) for each in atom.values):
        return "it differs in case only"
    if atom.field is Field.RESOURCE:
        return _shared_path([_common(each, actual) for each in atom.values])
    best = max(atom.values, key=lambda each: SequenceMatcher(None, each, actual).ratio())
    alike = SequenceMatcher(None, best, actual).ratio() >= _ALIKE
    return f"close to {_shown(best)}" if alike else ""


def _same(value: str, actual: str) -> bool:
    return value.casefold() == actual.casefold()


def _common(first: str, second: str) -> list[str]:
    """The path segments that two resources have in common from the beginning."""
    shared: list[str] = []
    for left, right in zip(first.split("/"), second.split("/"), strict=False):
        if left != right:
            break
        shared.append(left)
    return shared


def _shared_path(shared: Sequence[list[str]]) -> str:
    """``/datastore`` alone is no resemblance: every datastore has it."""
    longest = max(shared, key=len)
    return f"the same as far as {_shown('/'.join(longest))}" if len(longest) > 2 else ""


def _shown(text: str, most: int = _MOST_SHOWN) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
