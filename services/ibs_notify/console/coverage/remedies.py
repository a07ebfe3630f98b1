"""What closes a gap that coverage found: the pages of the console where it is done."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ibs_notify.console.rendering import query, segment
from ibs_notify.domain.resource import datastore_of
from ironcore.notification.v1 import router_service_pb2 as pb

EDIT = "ConfigService/UpdateGroup"
MAKE = "ConfigService/CreateGroup"
_TEST = ("notification", "target", "test")


@dataclass(frozen=True, slots=True)
class Remedy:
    """A link. ``needs`` is a call that a visitor must be allowed to make for it to be of use."""

    text: str
    url: str
    needs: str


def remedies(finding: pb.CoverageFinding) -> Sequence[Remedy]:
    """The likeliest first; none of a kind of gap that a newer release finds."""
    match finding.kind:
        case pb.COVERAGE_KIND_UNHEARD_ALARM:
            return _by_rule(f"type = {finding.subject}")
        case pb.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE:
            return _by_rule("severity = critical")
        case pb.COVERAGE_KIND_UNHEARD_ERROR_TYPE:
            return _by_rule("severity >= error")
        case pb.COVERAGE_KIND_WAITING_ERROR:
            return _of_target(finding.advice)
        case pb.COVERAGE_KIND_UNREACHABLE_GROUP:
            return [*_of_target(finding.advice), _edit(finding.subject)]
        case pb.COVERAGE_KIND_UNHEARD_RESOURCE:
            return _about(finding.subject, "severity >= warning")
        case pb.COVERAGE_KIND_UNHEARD_PROBLEM:
            return _about(finding.subject, "severity >= error")
        case pb.COVERAGE_KIND_IDLE_RULE:
            return [_edit(finding.subject.rpartition("/")[0])]
        case _:
            return []


def _by_rule(rule: str) -> Sequence[Remedy]:
    return [
        Remedy("Add Group", query("/new-group", rule=rule), MAKE),
        Remedy("Add a target to a group", "/groups", EDIT),
    ]


def _about(resource: str, rule: str) -> Sequence[Remedy]:
    made = Remedy("Add Group", query("/new-group", resource=resource, rule=rule), MAKE)
    name = datastore_of(resource)
    if not name:
        return [made]
    url = f"/datastores/{segment(name)}"
    return [Remedy("See who hears of it", url, "RouterService/Explain"), made]


def _edit(group: str) -> Remedy:
    return Remedy(f"Edit {group}", f"/groups/{segment(group)}/edit", EDIT)


def _of_target(advice: str) -> Sequence[Remedy]:
    """Where the advice is to test a target, its page."""
    try:
        *words, name = shlex.split(advice)
    except ValueError:
        return []
    if tuple(words[-len(_TEST) :]) != _TEST:
        return []
    return [Remedy(f"Look at {name}", f"/targets/{segment(name)}", "ConfigService/GetTarget")]
