"""Records in a spool's file, whatever becomes of the file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.client.segment import MARKER, OVERHEAD, Damage, Record, frame, read

payloads = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def found_in(data: bytes) -> Iterator[Record | Damage]:
    at = 0
    while (found := read(data, at)) is not None:
        assert found.end > at
        yield found
        at = found.end
    assert at == len(data)


def records_in(data: bytes) -> list[bytes]:
    return [each.payload for each in found_in(data) if isinstance(each, Record)]


@given(payloads)
def test_what_was_written_is_read(written: list[bytes]) -> None:
    data = b"".join(map(frame, written))
    assert records_in(data) == written
    assert len(data) == sum(OVERHEAD + len(each) for each in written)


@given(payloads, st.data())
def test_a_file_cut_anywhere_has_what_is_whole_before_the_cut(
    written: list[bytes], choice: st.DataObject
) -> None:
    data = b"".join(map(frame, written))
    cut = choice.draw(st.integers(0, len(data)))
    ends = list(accumulate(OVERHEAD + len(each) for each in written))
    whole = sum(end <= cut for end in ends)
    found = list(found_in(data[:cut]))
    assert records_in(data[:cut]) == written[:whole]
    assert len(found) - whole == (cut not in (0, *ends))


@given(payloads.filter(bool), st.data())
def test_a_changed_byte_costs_the_record_that_has_it_and_no_other(
    written: list[bytes], choice: st.DataObject
) -> None:
    data = bytearray(b"".join(map(frame, written)))
    at = choice.draw(st.integers(0, len(data) - 1))
    data[at] ^= choice.draw(st.integers(1, 255))
    ends = accumulate(OVERHEAD + len(each) for each in written)
    hit = next(index for index, end in enumerate(ends) if at < end)
    assert records_in(bytes(data)) == written[:hit] + written[hit + 1 :]


@given(st.binary(max_size=200), payloads.filter(bool))
def test_records_are_found_behind_any_rubbish(rubbish: bytes, written: list[bytes]) -> None:
    data = rubbish + b"".join(map(frame, written))
    assert records_in(data)[-len(written) :] == written


def test_zeros_are_no_record() -> None:
    assert list(found_in(bytes(100))) == [Damage(100)]


def test_no_text_holds_a_marker() -> None:
    assert MARKER[0] == 0xFF  # which UTF-8 never has
