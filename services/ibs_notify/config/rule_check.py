"""The use case of a rule's check. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.rules import evaluate, parse, warn
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.format import format_rule


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """A rule that parses: its canonical text, whether it matches, and what is odd about it."""

    canonical: str
    matches: bool
    warnings: tuple[str, ...]


def check_rule(text: str, event: Event | None) -> RuleCheck:
    """``InvalidArgument`` (RULE_INVALID) where the rule does not parse."""
    try:
        rule = parse.parse(text)
    except RuleError as error:
        violation = FieldViolation("rule", str(error))
        raise InvalidArgument(
            error.reason, error.message, advice=error.advice, violations=(violation,)
        ) from None
    holds = event is not None and evaluate.matches(rule, event)
    return RuleCheck(format_rule(rule), holds, warn.warnings(rule))
