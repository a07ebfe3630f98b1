"""Whether an event that arrived is one that a viewer looks at. Pure.

The same as the Router would say, but for the two things that need more than the event: a rule, for
which there is a watch of its own, and how somebody has marked it, which of a new one is not at all.
"""

from __future__ import annotations

from ibs_notify.domain.resource import canonical, is_under
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


class Match:
    """``Match(chosen)(record)``: a filter, made ready once for many events."""

    def __init__(self, chosen: pb.EventFilter) -> None:
        self._chosen = chosen
        self._types, self._sources = frozenset(chosen.types), frozenset(chosen.sources)
        self._groups, self._states = frozenset(chosen.groups), frozenset(chosen.dispositions)
        self._resource, self._text = canonical(chosen.resource), chosen.text.casefold()
        self._after = moment_from_proto(chosen.after) if chosen.HasField("after") else None
        self._before = moment_from_proto(chosen.before) if chosen.HasField("before") else None

    def __call__(self, record: pb.EventRecord) -> bool:
        return self._says(record) and self._went(record) and self._came(record)

    def _says(self, record: pb.EventRecord) -> bool:
        chosen, event = self._chosen, record.event
        return (
            event.severity >= chosen.min_severity
            and (not self._types or event.type in self._types)
            and (not self._sources or event.type.partition(".")[0] in self._sources)
            and (not self._resource or is_under(canonical(event.resource), self._resource))
            and (not chosen.task_id or event.task_id == chosen.task_id)
            and (not chosen.actor or event.actor == chosen.actor)
            and (not self._text or self._has_text(record))
        )

    def _has_text(self, record: pb.EventRecord) -> bool:
        event = record.event
        fields = (
            event.event_id,
            event.subject,
            event.summary,
            event.resource,
            event.task_id,
            event.actor,
            *event.labels.values(),
        )
        return self._text in "\0".join(fields).casefold()

    def _went(self, record: pb.EventRecord) -> bool:
        chosen, routes = self._chosen, record.dispositions
        return (
            not (chosen.unmatched and routes)
            and (not self._groups or any(each.group in self._groups for each in routes))
            and (not self._states or any(each.state in self._states for each in routes))
            and (not chosen.collapsed_into or any(self._is_collapsed(each) for each in routes))
        )

    def _is_collapsed(self, route: disposition_pb2.Disposition) -> bool:
        return (
            route.state == disposition_pb2.DISPOSITION_STATE_COLLAPSED
            and route.pointer == self._chosen.collapsed_into
        )

    def _came(self, record: pb.EventRecord) -> bool:
        came = moment_from_proto(record.receive_time)
        return (self._after is None or came >= self._after) and (
            self._before is None or came < self._before
        )
