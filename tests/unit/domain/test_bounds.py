"""Broken structure is refused, text never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

EVENT = Event("", "backup.failed", Severity.ERROR, datetime(2026, 5, 21, tzinfo=UTC))


def paths(event: Event) -> list[str]:
    return [each.path for each in faults_of(event)]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("subject", 1000),
        ("summary", 32_768),
        ("task_id", 512),
        ("actor", 256),
        ("resource", 1024),
        ("task_url", 2048),
        ("dedup_key", 256),
    ],
)
def test_a_text_may_have_as_many_characters_as_documented_and_not_one_more(
    name: str, most: int
) -> None:
    assert paths(replace(EVENT, **{name: "😀" * most})) == []  # type: ignore[arg-type]  # all are texts
    assert paths(replace(EVENT, **{name: "x" * (most + 1)})) == [name]  # type: ignore[arg-type]  # all are texts


def test_the_fault_says_how_long_the_text_is_and_how_long_it_may_be() -> None:
    (fault,) = faults_of(replace(EVENT, actor="x" * 300))
    assert fault.description == "has 300 characters; at most 256"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_text_within_its_bounds_is_a_fault(text: str) -> None:
    event = replace(
        EVENT,
        subject=text,
        summary=text,
        actor=text,
        resource=text,
        labels={"k": text},
        links={"k": text},
        groups=(text[:64] or "g",),
    )
    assert faults_of(event) == []


@pytest.mark.parametrize("name", ["", "backup", "Backup.Failed", "backup failed", "b." + "x" * 63])
def test_a_missing_or_malformed_type_is_a_fault(name: str) -> None:
    assert paths(replace(EVENT, type=name)) == ["type"]


@pytest.mark.parametrize("event_id", ["evt-1", "a/b:c_d.E-9", "x" * 128])
def test_an_event_id_of_the_documented_characters_is_none(event_id: str) -> None:
    assert paths(replace(EVENT, event_id=event_id)) == []


@pytest.mark.parametrize("event_id", ["a b", "é", "a\x00", "a\n", "x" * 129])
def test_any_other_event_id_is_a_fault(event_id: str) -> None:
    assert paths(replace(EVENT, event_id=event_id)) == ["event_id"]


def test_maps_are_bounded_in_number_key_and_value() -> None:
    assert paths(replace(EVENT, labels={f"k{n}": "" for n in range(64)})) == []
    assert paths(replace(EVENT, labels={f"k{n}": "" for n in range(65)})) == ["labels"]
    assert paths(replace(EVENT, links={f"k{n}": "" for n in range(17)})) == ["links"]
    assert paths(replace(EVENT, labels={"": "x"})) == ["labels"]
    assert paths(replace(EVENT, labels={"k" * 65: "x"})) == ["labels"]
    assert paths(replace(EVENT, labels={"phone": "x" * 1025})) == ["labels[phone]"]
    assert paths(replace(EVENT, labels={"phone": "x" * 1024})) == []
    assert paths(replace(EVENT, links={"log": "x" * 2049})) == ["links[log]"]
    assert paths(replace(EVENT, links={"log": "x" * 2048})) == []


def test_group_names_are_bounded_in_number_and_length() -> None:
    assert paths(replace(EVENT, groups=("g",) * 32)) == []
    assert paths(replace(EVENT, groups=("g",) * 33)) == ["groups"]
    assert paths(replace(EVENT, groups=("g", "", "x" * 65))) == ["groups[1]", "groups[2]"]


def test_every_fault_is_named_at_once() -> None:
    event = replace(
        EVENT, type="", event_id=" ", actor="x" * 257, labels={"": ""}, groups=("",) * 2
    )
    assert paths(event) == ["type", "event_id", "actor", "labels", "groups[0]", "groups[1]"]
