"""The promises of every parser, for its examples, damaged ones, hostile texts and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.fuzz.entries import ENTRIES
from tests.support.hostile_text import TEXTS

HOSTILE = [text.encode() for text in TEXTS.values()]


@st.composite
def damaged(draw: st.DrawFn, examples: list[bytes]) -> bytes:
    """An example in which some pieces were taken out, doubled or replaced by others."""
    data = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        piece = draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(HOSTILE),
                st.just(bytes(data[start:end]) * 2),
            )
        )
        data[start:end] = piece
    return bytes(data)


@pytest.mark.parametrize("name", ENTRIES)
def test_it_keeps_its_promise_for_hostile_texts(name: str) -> None:
    for data in (*ENTRIES[name].examples, *HOSTILE, b"\xff\xfe\x00", b""):
        ENTRIES[name].run(data)


@pytest.mark.parametrize("name", ENTRIES)
def test_it_keeps_its_promise_whatever_it_is_given(name: str) -> None:
    entry = ENTRIES[name]

    @seed(5)
    @settings(max_examples=200, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.one_of(
            damaged(list(entry.examples)),
            st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
            st.binary(max_size=200),
        )
    )
    def keeps(data: bytes) -> None:
        entry.run(data)

    keeps()
