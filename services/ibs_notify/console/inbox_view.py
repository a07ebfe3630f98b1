"""What of the inbox is looked at: the query of an address, as a filter and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode

from ibs_notify.console.local_time import read_moment
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.event_filter import DISPOSITIONS
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

PATH = "/inbox"
TOLD_APART = ("source", "type", "group", "disposition")
"""Given several times, or with commas between, they mean either."""
NAMES = (
    *TOLD_APART,
    "severity",
    "resource",
    "task",
    "actor",
    "after",
    "before",
    "rule",
    "unmatched",
    "text",
    "collapsed_into",
    "state",
)
STATES: Mapping[str, tuple[pb.InboxState.ValueType, ...]] = {
    "": (pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ),
    "unread": (pb.INBOX_STATE_UNREAD,),
    "archived": (pb.INBOX_STATE_ARCHIVED,),
    "every": (),
}
_TITLES = {
    "severity": "at least",
    "task": "task",
    "collapsed_into": "part of",
    "text": "contains",
    "disposition": "outcome",
}
_FIELDS = {
    "min_severity": "severity",
    "task_id": "task",
    "sources": "source",
    "types": "type",
    "groups": "group",
    "dispositions": "disposition",
    "inbox_states": "state",
}
FIELD_OF = {
    f"filter.{each.name}": _FIELDS.get(each.name, each.name)
    for each in pb.EventFilter.DESCRIPTOR.fields
}
"""From the paths of the API's faults to the fields of the form."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition, and the address of the same view without it."""

    name: str
    title: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class View:
    """The conditions by their names in the address, only those that are set. All must hold."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]]) -> View:
        """The view of an address; what is no condition is passed over."""
        pairs = list(query)
        found: dict[str, tuple[str, ...]] = {}
        for name in NAMES:
            given = [value.strip() for key, value in pairs if key == name]
            if name in TOLD_APART:
                given = [part.strip() for each in given for part in each.split(",")]
            kept = tuple(dict.fromkeys(each for each in given if each))
            if kept:
                found[name] = kept if name in TOLD_APART else kept[-1:]
        return cls(found)

    def one(self, name: str) -> str:
        """The value of a condition, or nothing; of several with commas between."""
        return ", ".join(self.values.get(name, ()))

    @property
    def state(self) -> str:
        """Which marks: "" is all but the archived."""
        return self.one("state")

    @property
    def narrows(self) -> bool:
        """Whether any condition but the mark is given."""
        return bool(self.values.keys() - {"state"})

    @property
    def is_live(self) -> bool:
        """Whether events that are accepted from now on can be in it."""
        return not self.values.keys() & {"before", "collapsed_into"} and self.state != "archived"

    def address(self, path: str = PATH, **extra: str) -> str:
        """The view's address, with what is ``extra`` and not empty."""
        pairs = [(name, value) for name in NAMES for value in self.values.get(name, ())]
        pairs += [(name, value) for name, value in extra.items() if value]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def with_(self, **changes: str) -> View:
        """The view with conditions replaced; an empty one is left out."""
        values = {name: each for name, each in self.values.items() if name not in changes}
        values |= {name: (value,) for name, value in changes.items() if value}
        return replace(self, values=values)

    def chips(self) -> list[Chip]:
        """The conditions to show, each with the way to be rid of it; the mark has tabs instead."""
        return [
            Chip(name, _TITLES.get(name, name), value, self._without(name, value).address())
            for name in NAMES
            if name != "state"
            for value in self.values.get(name, ())
        ]

    def cleared(self) -> View:
        """All with the same marks."""
        return View({name: each for name, each in self.values.items() if name == "state"})

    def _without(self, name: str, value: str) -> View:
        left = tuple(each for each in self.values[name] if each != value)
        values = {key: each for key, each in self.values.items() if key != name}
        return View(values | ({name: left} if left else {}))

    def filter(self, zone: str = "UTC") -> pb.EventFilter:
        """The same for the Router. ``zone`` is of times that name none.

        ``InvalidArgument`` names the fields of the form.
        """
        faults: list[FieldViolation] = []
        chosen = pb.EventFilter(
            sources=self.values.get("source", ()),
            types=self.values.get("type", ()),
            groups=self.values.get("group", ()),
            resource=self.one("resource"),
            task_id=self.one("task"),
            actor=self.one("actor"),
            rule=self.one("rule"),
            text=self.one("text"),
            unmatched=bool(self.one("unmatched")),
            collapsed_into=self.one("collapsed_into"),
            after=moment_to_proto(self._moment("after", zone, faults)),
            before=moment_to_proto(self._moment("before", zone, faults)),
            min_severity=self._min_severity(faults),
            dispositions=self._dispositions(faults),
            inbox_states=STATES.get(self.state, ()),
        )
        if self.state not in STATES:
            faults.append(FieldViolation("filter.inbox_states", "is unread, archived or every"))
        if faults:
            raise InvalidArgument.of(faults)
        return chosen

    def _moment(self, name: str, zone: str, faults: list[FieldViolation]) -> datetime | None:
        try:
            return read_moment(self.one(name), zone, f"filter.{name}")
        except InvalidArgument as error:
            faults.extend(error.violations)
            return None

    def _min_severity(self, faults: list[FieldViolation]) -> event_pb2.Severity.ValueType:
        word = self.one("severity")
        try:
            return event_pb2.Severity.ValueType(Severity.parse(word).value if word else 0)
        except ValueError as error:
            faults.append(FieldViolation("filter.min_severity", str(error)))
            return event_pb2.SEVERITY_UNSPECIFIED

    def _dispositions(
        self, faults: list[FieldViolation]
    ) -> list[disposition_pb2.DispositionState.ValueType]:
        given = self.values.get("disposition", ())
        if any(each not in DISPOSITIONS for each in given):
            fault = f"is none of {', '.join(DISPOSITIONS)}"
            faults.append(FieldViolation("filter.dispositions", fault))
        return [DISPOSITIONS[each] for each in given if each in DISPOSITIONS]
