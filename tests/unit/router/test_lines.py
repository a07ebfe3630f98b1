"""How events are marked where they have no mark, and which marks of all a line can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.router.lines import ALL, Lines, Mark, Stretch, moved
from ironcore.notification.v1 import router_service_pb2 as pb

UNREAD, READ, ARCHIVED = Mark.UNREAD, Mark.READ, Mark.ARCHIVED
NEWEST = 12

numbers = st.integers(0, NEWEST)
all_lines = st.tuples(numbers, numbers).map(lambda each: Lines(max(each), min(each)))
states = st.frozensets(st.sampled_from(Mark), min_size=1)


def told(lines: Lines) -> list[Mark]:
    return [lines.mark_of(seq) for seq in range(1, NEWEST + 1)]


def test_marks_are_those_of_the_api() -> None:
    assert {f"INBOX_STATE_{each.name}": each.value for each in Mark} == {
        name: number for name, number in pb.InboxState.items() if number
    }


def test_somebody_new_has_read_nothing() -> None:
    assert set(told(Lines())) == {UNREAD}


@given(all_lines, numbers)
def test_stretches_are_all_events_once_from_the_newest_on(lines: Lines, newest: int) -> None:
    stretches = lines.stretches(newest)
    seqs = [seq for each in stretches for seq in range(each.last, each.first - 1, -1)]
    assert seqs == list(range(newest, 0, -1))
    assert all(
        lines.mark_of(seq) is each.mark
        for each in stretches
        for seq in range(each.first, each.last + 1)
    )


def test_a_line_beyond_the_newest_event_ends_with_it() -> None:
    assert Lines(read_through=9).stretches(5) == [Stretch(1, 5, READ)]


@given(all_lines, numbers, states, st.sampled_from(Mark))
def test_lines_that_move_say_of_every_event_what_was_asked(
    lines: Lines, through: int, among: frozenset[Mark], to: Mark
) -> None:
    wanted = [
        to if seq <= through and mark in among else mark
        for seq, mark in enumerate(told(lines), start=1)
    ]
    after = moved(lines, through, among, to)
    if after is None:
        assert wanted != sorted(wanted, reverse=True)
    else:
        assert told(after) == wanted
        assert after.archived_through <= after.read_through


@pytest.mark.parametrize(
    ("among", "to", "expected"),
    [
        ({UNREAD}, READ, Lines(NEWEST, 2)),
        ({UNREAD, READ}, ARCHIVED, Lines(NEWEST, NEWEST)),
        ({READ}, UNREAD, Lines(2, 2)),
        (ALL, UNREAD, Lines(0, 0)),
        (ALL, READ, Lines(NEWEST, 0)),
    ],
)
def test_what_people_do_to_their_whole_inbox_moves_a_line(
    among: set[Mark], to: Mark, expected: Lines
) -> None:
    assert moved(Lines(read_through=5, archived_through=2), NEWEST, among, to) == expected


def test_no_line_has_something_read_below_what_is_archived() -> None:
    assert moved(Lines(5, 5), 3, {ARCHIVED}, READ) is None
