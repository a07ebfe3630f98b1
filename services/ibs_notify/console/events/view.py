"""What of the inbox is looked at: the query of an address, as a filter and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode

from ibs_notify.console.changes import KNOWN
from ibs_notify.console.wording.local_time import read_moment
from ibs_notify.console.wording.spoken_time import spoken
from ibs_notify.console.wording.words import disposition_state
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.event_filter import DISPOSITIONS
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

PATH = "/inbox"
WORST = max(Severity).label
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
_NO_CONDITIONS = ("page_token", KNOWN)
STATES: Mapping[str, tuple[pb.InboxState.ValueType, ...]] = {
    "": (pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ),
    "unread": (pb.INBOX_STATE_UNREAD,),
    "archived": (pb.INBOX_STATE_ARCHIVED,),
    "every": (),
}
EXACTLY = "only-"
"""Before a severity: that one, and not the worse ones as well."""
_BARE = re.compile(r"[A-Za-z0-9_.-]+")
_TITLES = {
    "task": "task",
    "collapsed_into": "part of",
    "text": "contains",
    "disposition": "what became of it",
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

    @property
    def text(self) -> str:
        """The value in words."""
        if self.name == "disposition" and self.value in DISPOSITIONS:
            return disposition_state(DISPOSITIONS[self.value])
        if self.name != "severity":
            return self.value
        if self.value.startswith(EXACTLY):
            return f"{self.value.removeprefix(EXACTLY)} only"
        return self.value if self.value == WORST else f"{self.value} and worse"


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

    @staticmethod
    def unknown(names: Iterable[str]) -> Sequence[str]:
        """Those of an address that are no condition, each once."""
        return list(dict.fromkeys(each for each in names if each not in (*NAMES, *_NO_CONDITIONS)))

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

    def with_only(self, severity: str) -> View:
        """The same of one severity alone."""
        return self.with_(severity=f"{EXACTLY}{severity}")

    @property
    def only(self) -> str:
        """The one severity that it is about, or nothing."""
        given = self.one("severity")
        return given.removeprefix(EXACTLY) if given.startswith(EXACTLY) else ""

    @property
    def least(self) -> int:
        """The least severity that it shows, as the API counts them; 0 where any is."""
        try:
            return Severity.parse(self.only or self.one("severity")).value
        except ValueError:
            return 0

    @property
    def bare_resource(self) -> str:
        """A resource of neither spelling, which may be meant as the name of a datastore."""
        given = self.one("resource")
        return given if _BARE.fullmatch(given) else ""

    def cleared(self) -> View:
        """All with the same marks."""
        return View({name: each for name, each in self.values.items() if name == "state"})

    def _without(self, name: str, value: str) -> View:
        left = tuple(each for each in self.values[name] if each != value)
        values = {key: each for key, each in self.values.items() if key != name}
        return View(values | ({name: left} if left else {}))

    def said(self, name: str, now: datetime) -> str:
        """A time that moves on with the clock, such as "today", as it was said; else nothing."""
        text = self.one(name)
        return text if spoken(text, now, "UTC") else ""

    def at(self, now: datetime, zone: str) -> View:
        """The same, with times that stay: "today" and "2 h ago" as of ``now``."""
        given = {name: self.one(name) for name in ("after", "before")}
        said = {name: spoken(text, now, zone) for name, text in given.items()}
        return self.with_(**{name: each.isoformat() for name, each in said.items() if each})

    def filter(self, now: datetime, zone: str = "UTC") -> pb.EventFilter:
        """The same for the Router. ``zone`` is of times that name none; days are its days.

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
            text=self.one("text"),
            unmatched=bool(self.one("unmatched")),
            collapsed_into=self.one("collapsed_into"),
            after=moment_to_proto(self._moment("after", now, zone, faults)),
            before=moment_to_proto(self._moment("before", now, zone, faults)),
            min_severity=self._min_severity(faults),
            dispositions=self._dispositions(faults),
            inbox_states=STATES.get(self.state, ()),
        )
        if self.state not in STATES:
            faults.append(FieldViolation("filter.inbox_states", "is unread, archived or every"))
        if faults:
            raise InvalidArgument.of(faults)
        chosen.rule = self._rule
        return chosen

    @property
    def _rule(self) -> str:
        """The API knows severities and worse; one alone is said by a rule."""
        written, only = self.one("rule"), self.only.lower()
        if only in ("", WORST):
            return written
        # On lines of its own, so that nothing in it reaches beyond; its faults are found before.
        return f"severity = {only}\nand (\n{written}\n)" if written else f"severity = {only}"

    def _moment(
        self, name: str, now: datetime, zone: str, faults: list[FieldViolation]
    ) -> datetime | None:
        text = self.one(name)
        if (said := spoken(text, now, zone)) is not None:
            return said
        try:
            return read_moment(text, zone, f"filter.{name}")
        except InvalidArgument as error:
            faults.extend(error.violations)
            return None

    def _min_severity(self, faults: list[FieldViolation]) -> event_pb2.Severity.ValueType:
        word = self.only or self.one("severity")
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
