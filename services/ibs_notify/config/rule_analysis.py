"""The analysis of a rule as the API says it."""

from __future__ import annotations

from ibs_notify.rules.analyze import Analysis, Fault, Kind
from ibs_notify.rules.complete import Completions
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import event_pb2

_KINDS = {each: pb.RuleTokenKind.Value(f"RULE_TOKEN_KIND_{each}") for each in Kind}


def analysis_to_proto(analysis: Analysis, completions: Completions) -> pb.AnalyzeRuleResponse:
    """Places are numbers of characters, not of bytes."""
    answer = pb.AnalyzeRuleResponse(
        tokens=[
            pb.RuleToken(kind=_KINDS[each.kind], start=each.start, end=each.end)
            for each in analysis.parts
        ],
        canonical_rule=analysis.canonical,
        warnings=analysis.warnings,
        likelier_rule=analysis.likelier,
        severities=[event_pb2.Severity.ValueType(each.value) for each in analysis.severities],
        completions=[
            pb.RuleCompletion(text=each.text, kind=_KINDS[each.kind], description=each.description)
            for each in completions.found
        ],
        completion_start=completions.start,
        completion_end=completions.end,
        completion_field=completions.field,
    )
    if analysis.fault is not None:
        answer.fault.CopyFrom(_fault(analysis.fault))
    return answer


def _fault(fault: Fault) -> pb.RuleFault:
    return pb.RuleFault(
        line=fault.line,
        column=fault.column,
        position=fault.position,
        message=fault.message,
        advice=fault.advice,
        fixed_rule=fault.fixed,
    )
