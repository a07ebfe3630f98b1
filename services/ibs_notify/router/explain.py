"""Explain: who hears of an event, who does not, and why. The edge; the words are of ``why``.

An event that is not sent goes the way of one that is, by the same calls; nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, NotificationError
from ibs_notify.domain.event import Event
from ibs_notify.domain.reason_words import reason as meaning_of
from ibs_notify.router import books
from ibs_notify.router.account import Obliged, look_ahead, look_back
from ibs_notify.router.dispositions import Reason
from ibs_notify.router.in_force import InForce, required
from ibs_notify.router.intake import prepare
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.router.notices import NOTICES
from ibs_notify.router.ports import DeliveryAnswers
from ibs_notify.router.retention import retired_ids
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.scope import IN_SCOPE, ScopeReason, is_about, scope_reason
from ibs_notify.router.silences import SilenceBook
from ibs_notify.router.standing import Standing, Step, Told, at, sentence_of
from ibs_notify.router.told_before import told_before
from ibs_notify.router.views import event_not_found, event_record
from ibs_notify.router.why import Why, why, why_not
from ibs_notify.rpc.convert import event_from_proto, moment_from_proto
from ibs_notify.rules.evaluate import Trace
from ibs_notify.store.database import Database
from ironcore.notification.v1 import delivery_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_UNHEARD = 1000
"""Of those that do not hear of an event so many are explained, those in scope first."""
MOST_DELIVERIES = 200

_FAILED = (delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_CANCELLED)

Deliveries = Mapping[str, delivery_pb2.Delivery]


@dataclass(frozen=True, slots=True)
class _Subject:
    """An event with the table that explains it. ``is_own``: made here, and routed by no rule."""

    message: event_pb2.Event
    event: Event
    table: RoutingTable
    obliged: Sequence[Obliged]
    dry_run: bool
    is_own: bool = False
    warnings: list[str] = field(default_factory=list)


class Explainer:
    """Answers for stored events and for events that are only looked at."""

    def __init__(
        self,
        database: Database,
        in_force: InForce,
        revisions: Revisions,
        delivery: DeliveryAnswers,
        clock: Clock,
    ) -> None:
        self._database = database
        self._in_force = in_force
        self._revisions = revisions
        self._delivery = delivery
        self._clock = clock
        # Its own, since it is read in other threads than the intake's.
        self._silences = SilenceBook()

    async def explain(self, request: pb.ExplainRequest) -> pb.ExplainResponse:
        """``NotFound`` for an unknown id, ``InvalidArgument`` for what would be refused."""
        match request.WhichOneof("subject"):
            case "event":
                subject = await self._look_ahead(request.event)
            case "event_id":
                subject = await self._look_back(request.event_id)
            case _:
                fault = FieldViolation("event_id", "is missing; give it, or an event")
                raise InvalidArgument.of([fault])
        deliveries = await self._deliveries(subject)
        return await asyncio.to_thread(_response, subject, request.target, deliveries)

    async def _look_ahead(self, given: event_pb2.Event) -> _Subject:
        table, now = required(self._in_force.table), self._clock.now()
        message = event_pb2.Event()
        message.CopyFrom(given)
        new = prepare(message, table, now, lambda _: "")
        if isinstance(new, NotificationError):
            raise new
        arrival = new.arrival

        def read(connection: sa.Connection) -> tuple[list[Obliged], bool]:
            silences = self._silences.not_over(connection, now)
            known = bool(given.event_id) and _is_known(connection, given.event_id)
            return look_ahead(connection, arrival, silences, table.limits), known

        obliged, known = await self._database.read(read)
        warnings = list(arrival.warnings)
        if known:
            warnings.append(
                f"event_id {given.event_id!r} is taken: sent with it, this event would get the "
                "answer to the one that has it, or be refused"
            )
        return _Subject(message, arrival.event, table, obliged, dry_run=True, warnings=warnings)

    async def _look_back(self, event_id: str) -> _Subject:
        in_force, now = required(self._in_force.table), self._clock.now()

        def read(connection: sa.Connection) -> tuple[pb.EventRecord, list[Obliged]] | None:
            found = books.events_by_id(connection, [event_id])
            if not found:
                return None
            record = event_record(found[0])
            dispositions = record.dispositions
            return record, look_back(
                connection, dispositions, record.sequence, in_force.limits, now
            )

        found = await self._database.read(read)
        if found is None:
            raise event_not_found(event_id)
        record, obliged = found
        is_own = _is_own(record)
        event, _ = event_from_proto(record.event, now)
        warnings = list(record.warnings)
        table: RoutingTable | None = in_force
        if is_own:
            warnings.append("this event is the system's own: no rule is asked for it")
        elif record.revision != in_force.revision:
            table = await self._revisions.table(record.revision)
            if table is None:
                warnings.append(
                    f"revision {record.revision}, which it was routed by, is not kept: the rules "
                    f"are those of revision {in_force.revision}, in force now"
                )
        if table is not None and not is_own:
            obliged = await self._with_before(record, event, obliged, table)
        return _Subject(
            record.event,
            event,
            table or in_force,
            obliged,
            dry_run=False,
            is_own=is_own,
            warnings=warnings,
        )

    async def _with_before(
        self,
        record: pb.EventRecord,
        event: Event,
        obliged: Sequence[Obliged],
        table: RoutingTable,
    ) -> list[Obliged]:
        """With what was told before, where it was told too."""
        told = {each.disposition.subscription_uid for each in obliged if each.is_no_repeat}
        windows = {
            route.subscription_uid: route.dedup_window
            for route in table.routes
            if route.subscription_uid in told and route.dedup_window
        }
        received_at = moment_from_proto(record.receive_time)
        before = await self._database.read(
            lambda c: told_before(c, event, record.sequence, received_at, windows)
        )
        return [each.with_before(before) for each in obliged]

    async def _deliveries(self, subject: _Subject) -> Deliveries:
        """How far each delivery is; a warning where Delivery does not answer."""
        ids = dict.fromkeys(
            delivery_id
            for each in subject.obliged
            for delivery_id in (
                each.disposition.delivery_id,
                *(told.delivery_id for told in each.standing.all_told),
            )
            if delivery_id
        )
        if len(ids) > MOST_DELIVERIES:
            subject.warnings.append(
                f"only {MOST_DELIVERIES} of {len(ids):,} deliveries were asked for; name a target"
            )
        try:
            found = await self._delivery.deliveries(list(ids)[:MOST_DELIVERIES])
        except NotificationError as error:
            subject.warnings.append(f"how far the deliveries are is not known: {error}")
            return {}
        return {
            delivery_id: delivery_pb2.Delivery.FromString(each)
            for delivery_id, each in found.items()
        }


def _is_known(connection: sa.Connection, event_id: str) -> bool:
    return bool(books.events_by_id(connection, [event_id]) or retired_ids(connection, [event_id]))


def _is_own(record: pb.EventRecord) -> bool:
    """A notice, which nobody is told, or the summary of a backlog, which its routes are."""
    if not record.revision and record.event.type in NOTICES:
        return True
    return record.event.type == SUMMARY_TYPE and any(
        each.reason == Reason.BACKLOG_COLLAPSED for each in record.dispositions
    )


def _response(subject: _Subject, target: str, deliveries: Deliveries) -> pb.ExplainResponse:
    response = pb.ExplainResponse(
        event=subject.message,
        revision=subject.table.revision,
        dry_run=subject.dry_run,
        warnings=subject.warnings,
        own=subject.is_own,
    )
    obliged = {
        each.key: replace(each, standing=_with_fates(each, deliveries))
        for each in subject.obliged
        if not target or each.disposition.target == target
    }
    unheard: list[tuple[RoutedGroup, Route, ScopeReason]] = []
    for group, route, reason in _routes(subject, target):
        found = obliged.pop((group.name, route.target), None)
        if found is None:
            unheard.append((group, route, reason))
            continue
        answer = response.subscriptions.add()
        _fill(answer, why(group, route, subject.event, reason, found.standing))
        _fill_obliged(answer, found, deliveries)
    for each in obliged.values():
        # Its route is of another revision than the rules, or none: it is an event of our own.
        answer = response.subscriptions.add(
            hears=each.standing.hears, sentence=sentence_of(each.standing)
        )
        answer.group, answer.target = each.key
        _fill_obliged(answer, each, deliveries)
    _fill_unheard(response, subject.event, unheard)
    return response


def _routes(subject: _Subject, target: str) -> Iterator[tuple[RoutedGroup, Route, ScopeReason]]:
    if subject.is_own:
        return
    event, table = subject.event, subject.table
    names_decide = table.names_decide(event)
    for group in table.groups:
        reason = scope_reason(group, event, names_decide=names_decide)
        for route in group.routes:
            if not target or route.target == target:
                own = ScopeReason.ABOUT_THIS_TARGET if is_about(event, route) else reason
                yield group, route, own


def _fill_unheard(
    response: pb.ExplainResponse,
    event: Event,
    unheard: Sequence[tuple[RoutedGroup, Route, ScopeReason]],
) -> None:
    """The nearest first; of very many only the first."""
    in_scope_first = sorted(unheard, key=lambda each: each[2] not in IN_SCOPE)
    explained = [
        why_not(group, route, event, reason)
        for group, route, reason in in_scope_first[:MOST_UNHEARD]
    ]
    for each in sorted(explained, key=lambda each: each.distance):
        _fill(response.subscriptions.add(), each)
    more = len(unheard) - len(explained)
    if more:
        response.warnings.append(f"{more:,} more do not hear of it; name a target to see why")


def _with_fates(each: Obliged, deliveries: Deliveries) -> Standing:
    standing = each.standing
    delivery = deliveries.get(each.disposition.delivery_id)
    if delivery is not None:
        standing = replace(standing, delivery=_how_far(delivery))
    if standing.told is not None:
        standing = replace(standing, told=_with_fate(standing.told, deliveries))
    before = standing.before
    if before is not None and before.told is not None:
        before = replace(before, told=_with_fate(before.told, deliveries))
        standing = replace(standing, before=before)
    return standing


def _with_fate(told: Told, deliveries: Deliveries) -> Told:
    delivery = deliveries.get(told.delivery_id)
    if delivery is None:
        return told
    return replace(told, fate=_how_far(delivery), failed=delivery.state in _FAILED)


def _how_far(delivery: delivery_pb2.Delivery) -> str:
    """``delivered``, ``retry wait: no connection to the server (CONNECT_FAILED)``."""
    if delivery.HasField("digest"):
        return _digest_words(delivery.digest)
    return _state_words(delivery.state, delivery.reason)


def _state_words(state: delivery_pb2.DeliveryState.ValueType, reason: str) -> str:
    name = delivery_pb2.DeliveryState.Name(state).removeprefix("DELIVERY_STATE_")
    words = name.lower().replace("_", " ")
    if not reason or state == delivery_pb2.DELIVERY_STATE_DELIVERED:
        return words
    return f"{words}: {meaning_of(reason)} ({reason})"


def _digest_words(digest: delivery_pb2.DigestMembership) -> str:
    """Its fate is that of the digest."""
    if digest.delivery_id:
        return f"in {digest.digest_id}, which is {_state_words(digest.state, digest.reason)}"
    if digest.HasField("close_time"):
        closes_at = moment_from_proto(digest.close_time)
        return f"it waits for {digest.digest_id}, which closes at {at(closes_at)}"
    return f"it waits for {digest.digest_id}"


def _fill(answer: pb.SubscriptionExplanation, each: Why) -> None:
    answer.group, answer.target = each.route.group, each.route.target
    answer.hears, answer.sentence = each.hears, each.sentence
    answer.near_misses.extend(each.near_misses)
    _fill_trace(answer.rule, each.trace)
    for step in each.steps:
        _fill_step(answer.decisions.add(), step)


def _fill_trace(node: pb.RuleTrace, trace: Trace) -> None:
    node.text, node.holds, node.actual = trace.text, trace.holds, trace.actual
    for part in trace.parts:
        _fill_trace(node.parts.add(), part)


def _fill_step(decision: pb.Decision, step: Step) -> None:
    decision.stage, decision.reason = step.stage, step.reason
    decision.sentence, decision.pointer = step.sentence, step.pointer


def _fill_obliged(
    answer: pb.SubscriptionExplanation, each: Obliged, deliveries: Deliveries
) -> None:
    answer.disposition.CopyFrom(each.disposition)
    if each.disposition.obligation_id.startswith("/"):
        # Of an event that has no id yet.
        answer.disposition.ClearField("obligation_id")
    delivery = deliveries.get(each.disposition.delivery_id)
    if delivery is not None:
        answer.delivery.CopyFrom(delivery)
