"""One event reaches one destination once, however many groups route it there."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.identity import obligation_id
from ibs_notify.router.release import Coalesced, Released, Waiting, release


def waiting(position: int, *recipients: str, target: str = "mail", event: int = 1) -> Waiting:
    return Waiting(event, position, f"evt-{event}", target, recipients)


def outcome(decision: Released | Coalesced) -> tuple[str, ...] | str:
    return decision.recipients if isinstance(decision, Released) else decision.into


def outcomes(*wait: Waiting, already: tuple[Released, ...] = ()) -> list[tuple[str, ...] | str]:
    return [outcome(each) for each in release(wait, already)]


def test_a_webhook_is_told_once_and_the_others_point_to_the_one_that_told() -> None:
    chat = [waiting(position, target="chat") for position in range(3)]
    assert outcomes(*chat) == [(), "evt-1/0", "evt-1/0"]


def test_another_event_or_another_target_is_another_destination() -> None:
    assert outcomes(
        waiting(0, target="chat"), waiting(1, target="pager"), waiting(0, target="chat", event=2)
    ) == [(), (), ()]


def test_each_recipient_of_mail_is_a_destination() -> None:
    assert outcomes(
        waiting(0, "a@x", "b@x"), waiting(1, "b@x", "c@x"), waiting(2, "c@x", "a@x")
    ) == [("a@x", "b@x"), ("c@x",), "evt-1/1"]


def test_addresses_that_differ_only_in_case_are_one_destination() -> None:
    assert outcomes(waiting(0, "Ops@Example.com"), waiting(1, "ops@example.com")) == [
        ("Ops@Example.com",),
        "evt-1/0",
    ]


def test_addresses_that_merely_fold_alike_are_two_destinations() -> None:
    assert outcomes(waiting(0, "strasse@x"), waiting(1, "straße@x")) == [
        ("strasse@x",),
        ("straße@x",),
    ]


def test_a_recipient_listed_twice_is_told_once() -> None:
    assert outcomes(waiting(0, "a@x", "A@x", "a@x", "b@x")) == [("a@x", "b@x")]


def test_mail_without_recipients_waits_once() -> None:
    assert outcomes(waiting(0), waiting(1), waiting(2, "a@x")) == [(), "evt-1/0", ("a@x",)]


def test_what_was_released_before_keeps_what_it_took() -> None:
    (former,) = release([waiting(0, "a@x")], [])
    assert isinstance(former, Released)
    assert outcomes(waiting(1, "a@x"), waiting(2, "a@x", "b@x"), already=(former,)) == [
        "evt-1/0",
        ("b@x",),
    ]


def test_the_first_in_order_takes_the_destination() -> None:
    decisions = release([waiting(5, target="chat"), waiting(1, target="chat")], [])
    assert isinstance(decisions[0], Released)
    assert outcome(decisions[1]) == "evt-1/5"


def test_a_delivery_has_the_same_id_whoever_releases_it() -> None:
    (one,) = release([waiting(0, "a@x", "b@x")], [])
    (other,) = release([waiting(9, "b@x", "a@x")], [])
    assert isinstance(one, Released)
    assert isinstance(other, Released)
    assert one.delivery_id == other.delivery_id


addresses = st.sampled_from(["a@x", "A@x", "b@x", "c@x"])
obligations = st.builds(
    lambda event, target, people: (event, target, tuple(people) if target == "mail" else ()),
    st.integers(1, 3),
    st.sampled_from(["mail", "chat", "pager"]),
    st.lists(addresses, max_size=4),
)


def places(decision: Released) -> list[tuple[int, str, str]]:
    where = decision.waiting.event_seq, decision.waiting.target_uid
    return [(*where, person.lower()) for person in decision.recipients or ("",)]


@given(st.lists(obligations, max_size=20), st.integers(0, 20))
def test_no_destination_twice_and_every_obligation_ends_where_somebody_was_told(
    wanted: list[tuple[int, str, tuple[str, ...]]], cut: int
) -> None:
    all_waiting = [
        Waiting(event, position, f"evt-{event}", target, people)
        for position, (event, target, people) in enumerate(wanted)
    ]
    first = release(all_waiting[:cut], [])
    already = [each for each in first if isinstance(each, Released)]
    decisions = [*first, *release(all_waiting[cut:], already)]

    assert [each.waiting for each in decisions] == all_waiting
    released = [each for each in decisions if isinstance(each, Released)]
    told = Counter(place for each in released for place in places(each))
    assert set(told.values()) <= {1}

    took = {
        place: obligation_id(each.waiting.event_id, each.waiting.position)
        for each in released
        for place in places(each)
    }
    for wait in all_waiting:
        for person in wait.recipients or ("",):
            assert (wait.event_seq, wait.target_uid, person.lower()) in took
    for each in decisions:
        if isinstance(each, Coalesced):
            assert each.into in took.values()

    ids = [each.delivery_id for each in released]
    assert len(ids) == len(set(ids))
