"""Two spellings of a resource, one meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.resource import ancestors, canonical, datastore_of, is_under

resources = st.one_of(
    st.text(max_size=20), st.text("ab.:/ \n", max_size=12), st.text("aA:/", max_size=8)
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ibs-primary:production/vm/12345", "/datastore/ibs-primary/production/vm/12345"),
        ("/datastore/ibs-primary/production", "/datastore/ibs-primary/production"),
        ("ibs-primary:", "/datastore/ibs-primary"),
        ("ibs-primary:/vm//1/", "/datastore/ibs-primary/vm/1"),
        ("A_b.c-1:x:y", "/datastore/A_b.c-1/x:y"),
        ("//datastore///a/", "/datastore/a"),
        ("/", "/"),
        ("///", "/"),
        ("", ""),
        ("a/b:c", "a/b:c"),
        ("just words", "just words"),
        (":rest", ":rest"),
        ("naïve:x", "naïve:x"),
        ("IBS:x", "/datastore/IBS/x"),
        ("a:line\nbreak", "/datastore/a/line\nbreak"),
    ],
)
def test_the_canonical_form_of_a_resource(written: str, meant: str) -> None:
    assert canonical(written) == meant


@given(resources)
def test_what_is_canonical_stays_as_it_is(written: str) -> None:
    once = canonical(written)
    assert canonical(once) == once


@given(resources)
def test_a_canonical_path_has_no_empty_segment(written: str) -> None:
    path = canonical(written)
    assert not (path.startswith("/") and "//" in path)
    assert path == "/" or not (path.startswith("/") and path.endswith("/"))


@given(st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True), st.text("ab/:", max_size=8))
def test_both_spellings_mean_the_same(name: str, rest: str) -> None:
    assert canonical(f"{name}:{rest}") == canonical(f"/datastore/{name}/{rest}")


@pytest.mark.parametrize(
    ("resource", "prefix", "under"),
    [
        ("/datastore/a", "/datastore/a", True),
        ("/datastore/a/vm/1", "/datastore/a", True),
        ("/datastore/ab", "/datastore/a", False),
        ("/datastore/A/vm", "/datastore/a", False),
        ("/datastore", "/datastore/a", False),
        ("/anything", "/", True),
        ("", "/", False),
        ("words", "/", False),
        ("words", "words", True),
    ],
)
def test_under_goes_by_whole_path_segments(resource: str, prefix: str, under: bool) -> None:
    assert is_under(resource, prefix) is under


@given(resources, resources)
def test_whatever_is_joined_below_a_path_is_under_it(above: str, below: str) -> None:
    parent = canonical("/" + above)
    assert is_under(canonical(f"{parent}/{below}"), parent)


@pytest.mark.parametrize(
    ("resource", "name"),
    [("/datastore/a/vm/1", "a"), ("/datastore/a", "a"), ("/task/a", ""), ("words", ""), ("", "")],
)
def test_the_datastore_of_a_resource(resource: str, name: str) -> None:
    assert datastore_of(resource) == name


@given(st.text("ab/", max_size=8), st.text("ab/", max_size=8))
def test_the_ancestors_of_a_path_are_what_it_is_under(resource: str, prefix: str) -> None:
    assert (prefix in ancestors(resource)) is is_under(resource, prefix)
