"""Routings, stored events and balances as the API shows them."""

from __future__ import annotations

import json

from ibs_notify.domain.clock import from_micros
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ibs_notify.router.books import StoredEvent, StoredObligation
from ibs_notify.router.dispositions import State
from ibs_notify.router.identity import obligation_id
from ibs_notify.router.ledger import Balance
from ibs_notify.router.pipeline import Routing
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import disposition_pb2, error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_STATES = {
    State.READY: disposition_pb2.DISPOSITION_STATE_READY,
    State.HANDED_OFF: disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
    State.SILENCED: disposition_pb2.DISPOSITION_STATE_SILENCED,
    State.SUPPRESSED: disposition_pb2.DISPOSITION_STATE_SUPPRESSED,
    State.COALESCED: disposition_pb2.DISPOSITION_STATE_COALESCED,
    State.COLLAPSED: disposition_pb2.DISPOSITION_STATE_COLLAPSED,
}
_MOST_UNACCOUNTED = 1000


def emit_response(event_id: str, routing: Routing) -> pb.EmitResponse:
    """What the emitter is told."""
    answer = pb.EmitResponse(event_id=event_id, warnings=routing.warnings)
    for position, routed in enumerate(routing.obligations):
        answer.dispositions.add(
            obligation_id=obligation_id(event_id, position),
            group=routed.route.group,
            target=routed.route.target,
            subscription_uid=routed.route.subscription_uid,
            state=_STATES[routed.decision.state],
            reason=routed.decision.reason,
            pointer=routed.decision.pointer,
            recipients=routed.route.recipients,
        )
    return answer


def emit_result(answer: pb.EmitResponse | NotificationError) -> pb.EmitResult:
    """The answer to one event of a batch."""
    if isinstance(answer, pb.EmitResponse):
        return pb.EmitResult(accepted=answer)
    error = pb.EmitError(
        reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{answer.reason}"),
        message=str(answer),
    )
    if isinstance(answer, InvalidArgument):
        for each in answer.violations:
            error.faults.add(path=each.path, description=each.description)
    return pb.EmitResult(error=error)


def event_record(stored: StoredEvent) -> pb.EventRecord:
    """An event with what its emitter was told, brought up to where its obligations stand now."""
    answer = pb.EmitResponse.FromString(stored.answer)
    now = {each.position: each for each in stored.obligations}
    for position, disposition in enumerate(answer.dispositions):
        if position in now:
            _update(disposition, now[position])
    return pb.EventRecord(
        event=event_pb2.Event.FromString(stored.body),
        sequence=stored.seq,
        receive_time=moment_to_proto(from_micros(stored.received_at)),
        revision=stored.revision,
        dispositions=answer.dispositions,
        warnings=answer.warnings,
    )


def _update(disposition: disposition_pb2.Disposition, stored: StoredObligation) -> None:
    disposition.state = _STATES[State(stored.state)]
    disposition.reason = stored.reason
    disposition.pointer = stored.pointer
    disposition.delivery_id = stored.delivery_id
    disposition.recipients[:] = json.loads(stored.recipients)


def ledger_response(result: Balance) -> pb.VerifyLedgerResponse:
    """The books for people and programs; of many ids only the first."""
    response = pb.VerifyLedgerResponse(
        balanced=result.balanced,
        accepted_events=result.accepted,
        routed_events=result.routed,
        unmatched_events=result.unmatched,
        unaccounted_ids=result.unaccounted[:_MOST_UNACCOUNTED],
        unaccounted_count=len(result.unaccounted),
    )
    for service, states in (
        ("router", result.router_states),
        ("delivery", result.delivery_states),
    ):
        for state, count in sorted(states.items()):
            response.lines.add(service=service, state=state, count=count)
    return response
