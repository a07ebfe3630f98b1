"""What became of an emitted event, in a line."""

from __future__ import annotations

from ibs_notify.cli.output import word
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def accepted_line(answer: pb.EmitResponse) -> str:
    """``evt-… accepted: ops-smtp via ops-team (to be released)``."""
    verb = "was accepted before" if answer.duplicate else "accepted"
    routes = ", ".join(_route(each) for each in answer.dispositions)
    return harmless(f"{answer.event_id} {verb}: {routes or 'only the inbox has it'}")


def refused_line(error: pb.EmitError) -> str:
    """``refused: type: is missing``."""
    faults = "; ".join(f"{each.path}: {each.description}" for each in error.faults)
    return harmless(f"refused: {faults or error.message}")


def _route(disposition: disposition_pb2.Disposition) -> str:
    return f"{disposition.target} via {disposition.group} ({state(disposition)})"


def state(disposition: disposition_pb2.Disposition) -> str:
    """``handed off`` of DISPOSITION_STATE_HANDED_OFF. What is READY there waits for something."""
    if disposition.state == disposition_pb2.DISPOSITION_STATE_READY:
        return "for the digest" if disposition.reason == "GATHERED" else "to be released"
    return word(disposition_pb2.DispositionState, disposition.state, "DISPOSITION_STATE_")
