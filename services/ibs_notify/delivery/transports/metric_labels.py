"""The labels of an event in a metric server: few values each, whatever emitters write. Pure.

A metric server keeps a series for each combination of labels, so their values are bounded for each
target: the first ones keep their names for good, later ones are counted as ``other``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ibs_notify.domain.catalogue import CATALOGUE, Outcome, outcome_of
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import datastore_of
from ibs_notify.templates.escaping import one_line

OTHER: Final = "other"
LONGEST_VALUE: Final = 200
"""Characters; what is longer is cut, and then shared by whatever begins alike."""


class Label(StrEnum):
    """A label whose values come from emitters. Stored: never renamed."""

    TYPE = "type"
    DATASTORE = "datastore"
    RESOURCE = "resource"

    @property
    def most(self) -> int:
        """How many values of a target keep their names. Types of the catalogue come on top."""
        return {Label.TYPE: 100, Label.DATASTORE: 100, Label.RESOURCE: 1000}[self]


Values = Mapping[Label, frozenset[str]]
"""Values that have names of their own, or that want to."""


@dataclass(frozen=True, slots=True)
class EventLabels:
    """``datastore`` is empty where the event's resource is in none."""

    type: str
    severity: str
    source: str
    datastore: str


def wanted(events: Iterable[Event]) -> Values:
    """The values that ``events`` would need, to be admitted."""
    found: dict[Label, set[str]] = {label: set() for label in Label}
    for event in events:
        if event.type not in CATALOGUE:
            found[Label.TYPE].add(event.type)
        found[Label.DATASTORE].add(_datastore(event))
        if (resource := succeeded(event)) is not None:
            found[Label.RESOURCE].add(resource)
    return {label: frozenset(values - {""}) for label, values in found.items()}


def labels_of(event: Event, admitted: Values) -> EventLabels:
    """The labels of ``event`` where ``admitted`` keep their names."""
    known = event.type in CATALOGUE or event.type in admitted[Label.TYPE]
    return EventLabels(
        type=event.type if known else OTHER,
        severity=event.severity.name.lower(),
        source=event.source if known else OTHER,
        datastore=named(_datastore(event), Label.DATASTORE, admitted),
    )


def succeeded(event: Event) -> str | None:
    """The resource that ``event`` says something went well with; ``None``: it does not say so."""
    if outcome_of(event.type) is not Outcome.OK or not event.canonical_resource:
        return None
    return _short(event.canonical_resource)


def named(value: str, label: Label, admitted: Values) -> str:
    """``value`` where it has a name of its own, or is empty; else ``other``."""
    return value if not value or value in admitted[label] else OTHER


def missing(admitted: Values, wanted: Values) -> bool:
    """Whether some of ``wanted`` may yet be admitted: it is new, and its label has room."""
    return any(
        len(admitted[label]) < label.most and not values <= admitted[label]
        for label, values in wanted.items()
    )


def _datastore(event: Event) -> str:
    return _short(datastore_of(event.canonical_resource))


def _short(text: str) -> str:
    """One line without control characters, which every server takes."""
    return one_line(text)[:LONGEST_VALUE].rstrip() if text else ""
