"""One event reaches one destination once, however many groups route it there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.identity import obligation_id
from ibs_notify.router.release import Decided, Released, Waiting, release

Key = tuple[int, int]


def waiting(
    position: int, *recipients: str, target: str = "mail", event: int = 1, lane: int = 0
) -> Waiting:
    return Waiting(event, position, f"evt-{event}", target, recipients, lane_id=lane)


def key_of(wait: Waiting) -> Key:
    return wait.event_seq, wait.position


def by_key(decided: Decided) -> dict[Key, tuple[str, ...] | str]:
    """The recipients of what is released, what took the place of what is coalesced."""
    released = {key_of(each.waiting): each.recipients for each in decided.released}
    coalesced = {key_of(each.waiting): each.into for each in decided.coalesced}
    assert not released.keys() & coalesced.keys()
    return {**released, **coalesced}


def outcomes(*wait: Waiting, already: tuple[Released, ...] = ()) -> list[tuple[str, ...] | str]:
    found = by_key(release(wait, already, {}))
    return [found[key_of(each)] for each in wait]


def released(*wait: Waiting, room: Mapping[int, int]) -> list[Key]:
    return [key_of(each.waiting) for each in release(wait, (), room).released]


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
    (former,) = release([waiting(0, "a@x")], [], {}).released
    assert outcomes(waiting(1, "a@x"), waiting(2, "a@x", "b@x"), already=(former,)) == [
        "evt-1/0",
        ("b@x",),
    ]


def test_the_first_in_order_takes_the_destination() -> None:
    assert outcomes(waiting(5, target="chat"), waiting(1, target="chat")) == [(), "evt-1/5"]


def test_a_delivery_has_the_same_id_whoever_releases_it() -> None:
    (one,) = release([waiting(0, "a@x", "b@x")], [], {}).released
    (other,) = release([waiting(9, "b@x", "a@x")], [], {}).released
    assert one.delivery_id == other.delivery_id


def test_a_lane_lets_go_as_many_events_as_it_has_room_for() -> None:
    many = [waiting(0, target="chat", event=n, lane=1) for n in (1, 2, 3)]
    decided = release(many, (), {1: 2})
    assert [each.waiting.event_seq for each in decided.released] == [1, 2]
    assert (decided.coalesced, decided.let_go) == ([], {1: 2})


def test_an_event_counts_once_in_a_lane_whatever_its_targets() -> None:
    targets = [waiting(n, target=f"t{n}", lane=1) for n in range(4)]
    decided = release([*targets, waiting(0, target="t0", event=2, lane=1)], (), {1: 1})
    assert [key_of(each.waiting) for each in decided.released] == [(1, n) for n in range(4)]
    assert decided.let_go == {1: 1}


def test_an_event_counts_in_every_lane_that_tells_of_it() -> None:
    two = [waiting(0, target="chat", lane=1), waiting(1, target="pager", lane=2)]
    assert release(two, (), {1: 5, 2: 5}).let_go == {1: 1, 2: 1}


def test_a_full_lane_holds_up_no_other_and_none_the_lanes_without_a_limit() -> None:
    three = [waiting(n, target=f"t{n}", lane=n) for n in range(3)]
    assert released(*three, room={1: 0, 2: 1}) == [(1, 0), (1, 2)]


def test_what_is_coalesced_costs_its_lane_nothing() -> None:
    first = waiting(0, target="chat", lane=1)
    same = waiting(1, target="chat", lane=2)
    other = waiting(0, target="pager", event=2, lane=2)
    decided = release([first, same, other], (), {1: 1, 2: 1})
    assert by_key(decided) == {(1, 0): (), (1, 1): "evt-1/0", (2, 0): ()}
    assert decided.let_go == {1: 1, 2: 1}


def test_what_a_full_lane_holds_is_coalesced_at_once_when_a_later_one_takes_its_place() -> None:
    held = waiting(0, target="chat", lane=1)
    takes = waiting(1, target="chat", lane=2)
    assert by_key(release([held, takes], (), {1: 0})) == {(1, 0): "evt-1/1", (1, 1): ()}


def test_what_a_full_lane_holds_for_other_recipients_stays_held() -> None:
    held = waiting(0, "a@x", "b@x", lane=1)
    takes = waiting(1, "a@x", lane=2)
    assert by_key(release([held, takes], (), {1: 0})) == {(1, 1): ("a@x",)}


addresses = st.sampled_from(["a@x", "A@x", "b@x", "c@x"])
obligations = st.builds(
    lambda event, target, people, lane: (
        event,
        target,
        tuple(people) if target == "mail" else (),
        lane,
    ),
    st.integers(1, 3),
    st.sampled_from(["mail", "chat", "pager"]),
    st.lists(addresses, max_size=4),
    st.integers(0, 2),
)
rooms = st.dictionaries(st.integers(1, 2), st.integers(0, 3))


def places(decision: Released) -> list[tuple[int, str, str]]:
    where = decision.waiting.event_seq, decision.waiting.target_uid
    return [(*where, person.lower()) for person in decision.recipients or ("",)]


@given(st.lists(obligations, max_size=20), rooms)
def test_no_destination_twice_and_every_obligation_ends_where_somebody_was_told(
    wanted: list[tuple[int, str, tuple[str, ...], int]], room: dict[int, int]
) -> None:
    all_waiting = [
        Waiting(event, position, f"evt-{event}", target, people, lane_id=lane)
        for position, (event, target, people, lane) in enumerate(wanted)
    ]
    first = release(all_waiting, (), room)
    held = [each for each in all_waiting if key_of(each) not in by_key(first)]
    # The lanes have room again, after what they let go before.
    second = release(held, first.released, {})

    decided = by_key(first) | by_key(second)
    assert decided.keys() == {key_of(each) for each in all_waiting}
    assert len(decided) == len(by_key(first)) + len(by_key(second))
    gone = [*first.released, *second.released]
    told = Counter(place for each in gone for place in places(each))
    assert set(told.values()) <= {1}

    took = {
        place: obligation_id(each.waiting.event_id, each.waiting.position)
        for each in gone
        for place in places(each)
    }
    for wait in all_waiting:
        for person in wait.recipients or ("",):
            assert (wait.event_seq, wait.target_uid, person.lower()) in took
    for each in (*first.coalesced, *second.coalesced):
        assert each.into in took.values()

    ids = [each.delivery_id for each in gone]
    assert len(ids) == len(set(ids))


@given(st.lists(obligations, max_size=20), rooms)
def test_no_lane_lets_go_more_than_it_may_and_none_holds_what_it_has_room_for(
    wanted: list[tuple[int, str, tuple[str, ...], int]], room: dict[int, int]
) -> None:
    decided = release(
        [
            Waiting(event, position, f"evt-{event}", target, people, lane_id=lane)
            for position, (event, target, people, lane) in enumerate(wanted)
        ],
        (),
        room,
    )
    for lane in (0, 1, 2):
        events = {e.waiting.event_seq for e in decided.released if e.waiting.lane_id == lane}
        assert decided.let_go.get(lane, 0) == len(events)
        assert len(events) <= room.get(lane, 3)
    still = set(range(len(wanted))) - {position for _, position in by_key(decided)}
    for lane in {wanted[position][3] for position in still}:
        assert decided.let_go.get(lane, 0) == room[lane]
