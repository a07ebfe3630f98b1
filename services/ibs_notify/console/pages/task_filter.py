"""Which deliveries a page of Tasks is about: its address, as a filter of the API and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ibs_notify.console.forms import Form
from ibs_notify.console.rendering import query
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.local_time import read_moment
from ibs_notify.console.wording.words import delivery_state
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_pb2 as pb
from ironcore.notification.v1.delivery_pb2 import DeliveryState
from ironcore.notification.v1.delivery_service_pb2 import DeliveryCount

PATH = "/tasks"
STATES: Mapping[str, DeliveryState.ValueType] = {
    delivery_state(number).replace(" ", "-"): number for number in DeliveryState.values() if number
}
"""By their words, as addresses and the command line have them: ``retry-wait``."""


class View(StrEnum):
    """The tabs of the page. Among the failures is also what never failed, and waits until somebody
    acts (its target is disabled), or is queued while something keeps it back.
    """

    FAILURES = "failures"
    WAITING = "waiting"
    DELIVERED = "delivered"
    ALL = "all"


VIEWS: Mapping[View, Sequence[DeliveryState.ValueType]] = {
    View.FAILURES: (
        pb.DELIVERY_STATE_DEAD,
        pb.DELIVERY_STATE_RETRY_WAIT,
        pb.DELIVERY_STATE_WAITING,
    ),
    View.WAITING: (
        pb.DELIVERY_STATE_QUEUED,
        pb.DELIVERY_STATE_LEASED,
        pb.DELIVERY_STATE_RETRY_WAIT,
        pb.DELIVERY_STATE_WAITING,
        pb.DELIVERY_STATE_DIGEST_OPEN,
    ),
    View.DELIVERED: (pb.DELIVERY_STATE_DELIVERED, pb.DELIVERY_STATE_DIGESTED),
    View.ALL: (),
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What the address says. ``states``, where given, go before those of ``view``."""

    view: View = View.ALL
    target: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    after: str = ""
    before: str = ""

    @classmethod
    def of(cls, form: Form) -> TaskFilter:
        """What a form, or the query of an address, says; of an unknown view everything."""
        named = {name: tuple(form.texts(name)) for name in _LISTS}
        view = next((each for each in View if each == form.text("view")), View.ALL)
        return cls(view, **named, after=form.text("after"), before=form.text("before"))

    def to_proto(self, zone: str) -> pb.DeliveryFilter:
        """The filter; ``InvalidArgument`` names the fields that cannot be read."""
        unknown = [each for each in self.state if each not in STATES]
        if unknown:
            problem = f"there is no state {unknown[0]!r}; there are {', '.join(STATES)}"
            raise InvalidArgument.of([FieldViolation("state", problem)])
        return pb.DeliveryFilter(
            targets=self.target,
            groups=self.group,
            states=[STATES[each] for each in self.state] or self._states_of_view,
            reasons=self.reason,
            event_ids=self.event,
            delivery_ids=self.id,
            after=moment_to_proto(read_moment(self.after, zone, "after")),
            before=moment_to_proto(read_moment(self.before, zone, "before")),
            troubled=self.is_about_failures,
        )

    @property
    def is_about_failures(self) -> bool:
        """Whether the tab of failures decides, and no state that is asked for."""
        return self.view is View.FAILURES and not self.state

    @property
    def _states_of_view(self) -> Sequence[DeliveryState.ValueType]:
        # Which of what is queued stands still, only Delivery can tell.
        return () if self.is_about_failures else VIEWS[self.view]

    def fields(self) -> list[tuple[str, str]]:
        """Names and values, as hidden fields of a form have them."""
        given = [(name, each) for name in _LISTS for each in getattr(self, name)]
        given += [(name, getattr(self, name)) for name in _TEXTS if getattr(self, name)]
        return [("view", self.view.value), *given]

    def url(self, path: str = PATH, **extra: str) -> str:
        """The address that says this."""
        return query(path, **_grouped(self.fields()), **extra)

    def seen_as(self, view: View) -> TaskFilter:
        """The same in another tab."""
        return replace(self, view=view, state=())

    def in_state(self, state: str) -> TaskFilter:
        """The same in one state, in the word of an address."""
        return replace(self, view=View.ALL, state=(state,))

    @property
    def in_all_states(self) -> TaskFilter:
        return self.seen_as(View.ALL)

    def chips(self) -> list[tuple[str, str, str]]:
        """What is asked for: its name, its value, and the address without it."""
        fields = self.fields()
        return [
            (name, value, query(PATH, **_grouped(each for each in fields if each != (name, value))))
            for name, value in fields
            if name != "view"
        ]

    @property
    def is_everything(self) -> bool:
        return self == TaskFilter()


# Of these a failure is what has a reason: why it is kept back, or why the try before failed.
_WITH_A_REASON = (pb.DELIVERY_STATE_QUEUED, pb.DELIVERY_STATE_LEASED)
_LISTS = ("target", "group", "state", "reason", "event", "id")
_TEXTS = ("after", "before")


def counts_in(view: View, alike: DeliveryCount) -> bool:
    """Whether deliveries that stand ``alike`` are in the tab: the same as its filter says."""
    if view is View.FAILURES and alike.state in _WITH_A_REASON:
        return bool(alike.reason)
    return not VIEWS[view] or alike.state in VIEWS[view]


def _grouped(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def of_address(visit: Visit) -> TaskFilter:
    """What the address of a page says."""
    given = visit.request.query
    return TaskFilter.of(Form({name: given.getall(name) for name in given}))
