"""The labels of events have few values, whatever emitters write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.transports import event

from ibs_notify.delivery.transports.metric_labels import (
    LONGEST_VALUE,
    EventLabels,
    Label,
    Values,
    labels_of,
    missing,
    succeeded,
    wanted,
)
from ibs_notify.domain.catalogue import CATALOGUE
from ibs_notify.domain.resource import canonical

NOTHING: Values = {label: frozenset() for label in Label}


def admitted(**values: set[str]) -> Values:
    return {label: frozenset(values.get(label.value, ())) for label in Label}


def test_an_event_has_the_labels_of_its_type_severity_and_datastore() -> None:
    known = admitted(datastore={"ibs-primary"})
    assert labels_of(event(), known) == EventLabels(
        "backup.failed", "error", "backup", "ibs-primary"
    )


def test_what_has_no_name_of_its_own_is_other() -> None:
    labels = labels_of(event(type="custom.thing"), NOTHING)
    assert labels == EventLabels("other", "error", "other", "other")


def test_the_types_of_the_catalogue_need_no_room() -> None:
    events = [event(type=name, canonical_resource="") for name in CATALOGUE]
    assert wanted(events)[Label.TYPE] == frozenset()
    assert {labels_of(each, NOTHING).type for each in events} == set(CATALOGUE)


def test_an_event_without_a_datastore_has_none_and_not_other() -> None:
    assert labels_of(event(canonical_resource="/host/a"), NOTHING).datastore == ""
    assert labels_of(event(canonical_resource=""), NOTHING).datastore == ""


def test_success_is_told_of_good_news_about_a_resource_only() -> None:
    assert succeeded(event()) is None
    assert succeeded(event(type="backup.completed", canonical_resource="")) is None
    assert succeeded(event(type="backup.completed")) == "/datastore/ibs-primary/production/vm/12345"


def test_a_label_that_is_full_admits_nothing_more() -> None:
    full = {**NOTHING, Label.DATASTORE: frozenset(map(str, range(Label.DATASTORE.most)))}
    new = wanted([event()])
    assert missing(NOTHING, new)
    assert not missing(full, new)
    assert not missing(admitted(datastore={"ibs-primary"}), new)


@given(st.text(max_size=400))
def test_no_value_is_long_or_holds_a_control_character(text: str) -> None:
    resource = canonical(f"/datastore/{text}/vm/1")
    values = wanted([event(type="backup.completed", canonical_resource=resource)])
    for each in values[Label.DATASTORE] | values[Label.RESOURCE]:
        assert len(each) <= LONGEST_VALUE
        assert each.isprintable() or not each.isascii()
        assert "\n" not in each
        assert each.encode()
