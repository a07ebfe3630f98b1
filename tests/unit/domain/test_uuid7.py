"""Ids of emitters."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from ibs_notify.domain.uuid7 import Uuid7

NOW = datetime(2026, 5, 21, 2, 14, 35, 123_456, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    found = UUID(Uuid7().next(NOW))
    assert (found.version, found.variant) == (7, RFC_4122)
    assert found.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_sort_in_the_order_they_were_given_also_when_the_clock_goes_back() -> None:
    ids = Uuid7()
    moments = [NOW, NOW, NOW + timedelta(microseconds=1), NOW - timedelta(hours=1), NOW] * 3000
    given = [ids.next(moment) for moment in moments]
    assert given == sorted(given)
    assert len(set(given)) == len(given)


def test_a_fork_gives_no_id_twice() -> None:
    ids = Uuid7()
    ids.next(NOW)
    theirs, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ours, ids.next(NOW).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(theirs, 36).decode() != ids.next(NOW)
    os.close(theirs)
    os.close(ours)
