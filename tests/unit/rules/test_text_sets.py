"""Sets of texts answer as asking each text would, few or many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.resource import is_under
from ibs_notify.rules.text_sets import Parts, Paths, Prefixes, Suffixes, Whole

texts = st.text("ab/", min_size=1, max_size=6)
sets = st.one_of(st.sets(texts, max_size=10), st.sets(texts, min_size=33, max_size=80))
values = st.text("ab/", max_size=12)


def named(chosen: set[str]) -> dict[str, str]:
    return {text: text for text in chosen}


@given(sets, values)
def test_the_whole_text_is_found_alone(chosen: set[str], value: str) -> None:
    assert list(Whole(named(chosen)).find(value)) == [text for text in chosen if text == value]


@given(sets, values)
def test_every_prefix_is_found(chosen: set[str], value: str) -> None:
    expected = [text for text in chosen if value.startswith(text)]
    assert sorted(Prefixes(named(chosen)).find(value)) == sorted(expected)


@given(sets, values)
def test_every_suffix_is_found(chosen: set[str], value: str) -> None:
    expected = [text for text in chosen if value.endswith(text)]
    assert sorted(Suffixes(named(chosen)).find(value)) == sorted(expected)


@given(sets, values)
def test_every_part_is_found_once_wherever_and_however_often_it_stands(
    chosen: set[str], value: str
) -> None:
    expected = [text for text in chosen if text in value]
    assert sorted(Parts(named(chosen)).find(value)) == sorted(expected)


@given(st.sets(texts, min_size=1), st.sets(texts), values)
def test_every_path_above_is_found(under: set[str], below: set[str], value: str) -> None:
    found = Paths(named(under), {text: f"below {text}" for text in below}).find(value)
    expected = [text for text in under if is_under(value, text) and text != "/"]
    expected += [f"below {text}" for text in below if value.startswith(f"{text}/")]
    assert sorted(text for text in found if text != "/") == sorted(expected)


def test_a_run_of_texts_longer_than_one_sort_is_in_order() -> None:
    many = {f"vm/{number}": number for number in range(5_000)}
    assert Prefixes(many).find("vm/4321x") == [4321, 432, 43, 4]
