"""The filter of a request, checked: every fault is named at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.text_search import MOST_CHARACTERS
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.lines import Mark
from ibs_notify.router.scope import is_in_scope
from ibs_notify.router.views import STATES
from ibs_notify.rpc.convert import is_moment, moment_from_proto
from ibs_notify.rpc.convert_config import scope_from_proto
from ibs_notify.rules.ast import Always
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.parse import parse
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_ATTACHMENTS = 10_000
_COSTLY = ("text", "rule", "groups", "dispositions")
"""What only a look at the events one by one can tell."""
_STATES = {number: state for state, number in STATES.items()}
_MARKS = frozenset(each.value for each in Mark)


def query_of(message: pb.EventFilter, viewer: str) -> EventQuery:
    """What ``viewer`` asks for."""
    faults = [
        FieldViolation(f"filter.{name}", "is not between the years 1 and 9999")
        for name, stamp in (("after", message.after), ("before", message.before))
        if not is_moment(stamp)
    ]
    faults += [
        FieldViolation(f"filter.dispositions[{index}]", "is no disposition")
        for index, each in enumerate(message.dispositions)
        if each not in _STATES
    ]
    faults += [
        FieldViolation(f"filter.inbox_states[{index}]", "is no state of the inbox")
        for index, each in enumerate(message.inbox_states)
        if each not in _MARKS
    ]
    if len(message.text) > MOST_CHARACTERS:
        faults.append(FieldViolation("filter.text", f"has over {MOST_CHARACTERS} characters"))
    if faults:
        raise InvalidArgument.of(faults)
    return EventQuery(
        sources=frozenset(message.sources),
        types=frozenset(message.types),
        min_severity=message.min_severity,
        resource=canonical(message.resource),
        task_id=message.task_id,
        actor=message.actor,
        after=_micros(message.after) if message.HasField("after") else None,
        before=_micros(message.before) if message.HasField("before") else None,
        states=frozenset(_STATES[each] for each in message.dispositions),
        unmatched=message.unmatched,
        collapsed_into=message.collapsed_into,
        groups=frozenset(message.groups),
        text=message.text.casefold(),
        rule=_compiled(message.rule) if message.rule else None,
        marks=frozenset(map(Mark, message.inbox_states)),
        viewer=viewer,
    )


def scoped(query: EventQuery, scope: pb.EventScope, group_names: frozenset[str]) -> EventQuery:
    """The same of what a group of ``scope`` would hear of, were it one of ``group_names``."""
    if len(scope.attachments) > MOST_ATTACHMENTS:
        fault = f"are more than {MOST_ATTACHMENTS:,}"
        raise InvalidArgument.of([FieldViolation("scope.attachments", fault)])
    chosen, attached = scope_from_proto(scope.scope), map(canonical, scope.attachments)
    hears = None
    if chosen is not Scope.EVERYTHING:
        hears = is_in_scope(scope.group, chosen, tuple(attached), group_names)
    return replace(query, by_rules=True, scope=hears)


def countable_query_of(message: pb.EventFilter, viewer: str) -> EventQuery:
    """The same where events are only counted; what would have to be opened is refused."""
    faults = [
        FieldViolation(f"filter.{name}", "is not taken where events are counted")
        for name in _COSTLY
        if getattr(message, name)
    ]
    if faults:
        raise InvalidArgument.of(faults)
    return query_of(message, viewer)


def _micros(stamp: Timestamp) -> int:
    return to_micros(moment_from_proto(stamp))


def _compiled(text: str) -> Callable[[Event], bool] | None:
    """None for a rule that is for every event: nothing need be opened for it."""
    try:
        rule = parse(text)
        return None if rule == Always() else compile_rule(rule)
    except InvalidArgument as error:
        fault = FieldViolation("filter.rule", error.message)
        raise InvalidArgument(
            error.reason, error.message, advice=error.advice, violations=[fault]
        ) from None
