"""Counting events for a Pushgateway, exactly once each, and the names that labels keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import sqlalchemy as sa

from ibs_notify.delivery.tables import DELIVERIES, METRIC_LABELS, METRIC_SERIES
from ibs_notify.delivery.transports.metric_book import Metric, Sample, Series
from ibs_notify.delivery.transports.metric_labels import (
    Label,
    Values,
    labels_of,
    missing,
    named,
    succeeded,
    wanted,
)
from ibs_notify.domain.clock import from_micros, to_micros
from ibs_notify.domain.event import Event
from ibs_notify.store.bulk import Bulk
from ibs_notify.store.upsert import insert_or_ignore

_L, _S = METRIC_LABELS.c, METRIC_SERIES.c


def admitted(connection: sa.Connection, target_uid: str) -> Values:
    """The values that keep their names."""
    found: dict[Label, set[str]] = {label: set() for label in Label}
    for row in connection.execute(
        sa.select(_L.label, _L.value).where(_L.target_uid == target_uid, _L.value != "")
    ):
        found[Label(row.label)].add(row.value)
    return {label: frozenset(values) for label, values in found.items()}


def admit(connection: sa.Connection, target_uid: str, new: Values) -> Values:
    """See ``MetricBook.admit``. The first in the order of the alphabet get what room there is."""
    known = admitted(connection, target_uid)
    if not missing(known, new):
        return known
    _lock(connection, target_uid)
    known = admitted(connection, target_uid)
    rows = [
        {"target_uid": target_uid, "label": label.value, "value": value}
        for label, values in new.items()
        for value in sorted(values - known[label])[: label.most - len(known[label])]
    ]
    if rows:
        connection.execute(sa.insert(METRIC_LABELS), rows)
    return admitted(connection, target_uid)


def _lock(connection: sa.Connection, target_uid: str) -> None:
    """Keep other replicas from admitting values until the transaction ends."""
    key = {"target_uid": target_uid, "label": "", "value": ""}
    connection.execute(insert_or_ignore(METRIC_LABELS, connection.dialect.name).values(key))
    connection.execute(
        sa.select(_L.value)
        .where(_L.target_uid == target_uid, _L.label == "", _L.value == "")
        .with_for_update()
    )


def count(connection: sa.Connection, target_uid: str, samples: Sequence[Sample]) -> None:
    """Count those that are not counted yet, and mark them in the same transaction."""
    events = _not_counted(connection, samples)
    if not events:
        return
    names = admit(connection, target_uid, wanted(events))
    found: dict[bytes, Series] = {}
    for event in events:
        for series in _series_of(event, names):
            key = _key(series)
            found[key] = _sum(found[key], series) if key in found else series
    _add(connection, target_uid, found)


def totals(connection: sa.Connection, target_uid: str) -> list[Series]:
    """All series of a target, in an order that does not change."""
    rows = connection.execute(
        sa.select(_S.metric, _S.labels, _S.total, _S.last_at)
        .where(_S.target_uid == target_uid)
        .order_by(_S.key)
    )
    return [
        Series(
            Metric(row.metric), tuple(json.loads(row.labels)), row.total, from_micros(row.last_at)
        )
        for row in rows
    ]


def forget(connection: sa.Connection, target_uid: str) -> None:
    """The target is gone for good: its uid never comes back."""
    for table in (METRIC_SERIES, METRIC_LABELS):
        connection.execute(sa.delete(table).where(table.c.target_uid == target_uid))


def _not_counted(connection: sa.Connection, samples: Sequence[Sample]) -> list[Event]:
    """Marks what it returns."""
    by_sequence = {sample.sequence: sample.event for sample in samples}
    marked = connection.execute(
        sa.update(DELIVERIES)
        .where(DELIVERIES.c.seq.in_(sorted(by_sequence)), DELIVERIES.c.counted == 0)
        .values(counted=1)
        .returning(DELIVERIES.c.seq)
    ).scalars()
    return [by_sequence[sequence] for sequence in sorted(marked)]


def _series_of(event: Event, names: Values) -> Iterable[Series]:
    labels = labels_of(event, names)
    values = (labels.type, labels.severity, labels.source, labels.datastore)
    yield Series(Metric.EVENTS, values, 1, event.timestamp)
    if resource := succeeded(event):
        where = (labels.source, labels.datastore, named(resource, Label.RESOURCE, names))
        yield Series(Metric.SUCCESSES, where, 1, event.timestamp)


def _sum(one: Series, other: Series) -> Series:
    last_at = max(one.last_at, other.last_at)
    return Series(one.metric, one.labels, one.total + other.total, last_at)


def _key(series: Series) -> bytes:
    return sha256(json.dumps([series.metric, *series.labels]).encode()).digest()


def _add(connection: sa.Connection, target_uid: str, found: Mapping[bytes, Series]) -> None:
    # In the order of their keys, so that replicas do not lock each other out.
    added = sorted(found.items())
    _ENSURE[connection.dialect.name].run(
        connection,
        [
            (
                target_uid,
                key,
                each.metric.value,
                json.dumps(each.labels),
                0,
                to_micros(each.last_at),
            )
            for key, each in added
        ],
    )
    _ADD.run(
        connection,
        [
            (each.total, to_micros(each.last_at), to_micros(each.last_at), target_uid, key)
            for key, each in added
        ],
    )


def _at(parameter: str) -> sa.BindParameter[int]:
    return sa.bindparam(parameter, type_=sa.BigInteger)


_SERIES_COLUMNS = [column.name for column in METRIC_SERIES.columns]
_ENSURE = {
    dialect: Bulk(
        insert_or_ignore(METRIC_SERIES, dialect).values(
            {name: sa.bindparam(name) for name in _SERIES_COLUMNS}
        ),
        _SERIES_COLUMNS,
    )
    for dialect in ("sqlite", "postgresql")
}
_ADD = Bulk(
    sa.update(METRIC_SERIES)
    .ordered_values(
        (_S.total, _S.total + _at("added")),
        (_S.last_at, sa.case((_S.last_at < _at("at"), _at("later")), else_=_S.last_at)),
    )
    .where(
        _S.target_uid == sa.bindparam("uid", type_=sa.String),
        _S.key == sa.bindparam("hash", type_=sa.LargeBinary),
    ),
    ("added", "at", "later", "uid", "hash"),
)
