"""The address of Tasks and the filter that it means."""

from __future__ import annotations

import pytest

from ibs_notify.console.forms import Form
from ibs_notify.console.pages.task_filter import VIEWS, TaskFilter, View
from ibs_notify.domain.errors import InvalidArgument
from ironcore.notification.v1 import delivery_pb2 as pb


def test_what_is_asked_for_is_in_the_address_and_comes_back_from_it() -> None:
    asked = TaskFilter(
        View.WAITING,
        target=("a b", "ü"),
        group=("g&h",),
        reason=("SMTP_5XX",),
        event=("evt/1",),
        after="2026-05-21T22:00",
    )
    fields: dict[str, list[str]] = {}
    for name, value in asked.fields():
        fields.setdefault(name, []).append(value)
    assert TaskFilter.of(Form(fields)) == asked
    assert asked.url() == (
        "/tasks?view=waiting&target=a+b&target=%C3%BC&group=g%26h&reason=SMTP_5XX"
        "&event=evt%2F1&after=2026-05-21T22%3A00"
    )


def test_states_go_before_those_of_the_tab() -> None:
    asked = TaskFilter(View.DELIVERED, state=("retry-wait",))
    assert [*asked.to_proto("UTC").states] == [pb.DELIVERY_STATE_RETRY_WAIT]
    assert [*asked.seen_as(View.DELIVERED).to_proto("UTC").states] == [*VIEWS[View.DELIVERED]]


def test_a_chip_leads_to_where_it_is_not() -> None:
    asked = TaskFilter(View.ALL, target=("a", "b"), before="2026-05-21T22:00")
    assert asked.chips() == [
        ("target", "a", "/tasks?view=all&target=b&before=2026-05-21T22%3A00"),
        ("target", "b", "/tasks?view=all&target=a&before=2026-05-21T22%3A00"),
        ("before", "2026-05-21T22:00", "/tasks?view=all&target=a&target=b"),
    ]


def test_a_state_that_there_is_not_is_said_at_its_field() -> None:
    with pytest.raises(InvalidArgument, match="retry-wait") as caught:
        TaskFilter(state=("gone",)).to_proto("UTC")
    assert caught.value.violations[0].path == "state"


def test_every_state_is_in_a_tab_and_what_was_cancelled_in_that_of_all() -> None:
    listed = {state for states in VIEWS.values() for state in states}
    assert set(pb.DeliveryState.values()) - listed == {0, pb.DELIVERY_STATE_CANCELLED}
