"""An emitter that is bound emits of its sources and resources, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.core import failed

from ibs_notify.domain.principal import Bounds
from ibs_notify.router.emitter_bounds import Verdict, confined, judge, refusal_of
from ibs_notify.router.fingerprint import fingerprint

STORE = "/datastore/ibs-primary"
BOUND = Bounds(("backup", "verify"), (STORE, "/datastore/b/production"))


@pytest.mark.parametrize(
    ("bounds", "type_", "resource", "verdict"),
    [
        (Bounds(), "sync.failed", "", Verdict.WITHIN),
        (Bounds(), "notification.summary", "", Verdict.OURS),
        (Bounds(("notification",)), "notification.target-failing", "/x", Verdict.OURS),
        (Bounds(), "notifications.sent", "", Verdict.WITHIN),
        (BOUND, "backup.failed", STORE, Verdict.WITHIN),
        (BOUND, "backup.failed", f"{STORE}/production/vm/1", Verdict.WITHIN),
        (BOUND, "verify.corrupt", "/datastore/b/production/x", Verdict.WITHIN),
        (BOUND, "sync.failed", STORE, Verdict.OTHER_SOURCE),
        # A source is a whole word.
        (BOUND, "backups.failed", STORE, Verdict.OTHER_SOURCE),
        (BOUND, "backup-x.failed", STORE, Verdict.OTHER_SOURCE),
        (BOUND, "backup.failed", "/datastore/ibs-primary2", Verdict.OTHER_RESOURCE),
        (BOUND, "backup.failed", "/datastore", Verdict.OTHER_RESOURCE),
        (BOUND, "backup.failed", "/datastore/b", Verdict.OTHER_RESOURCE),
        (BOUND, "backup.failed", "/DATASTORE/ibs-primary", Verdict.OTHER_RESOURCE),
        (BOUND, "backup.failed", "", Verdict.NO_RESOURCE),
        (Bounds(("backup",)), "backup.failed", "", Verdict.WITHIN),
        (Bounds(resources=("/",)), "sync.failed", "/x", Verdict.WITHIN),
        (Bounds(resources=("/",)), "sync.failed", "x", Verdict.OTHER_RESOURCE),
    ],
)
def test_bounds_go_by_whole_words_and_whole_segments(
    bounds: Bounds, type_: str, resource: str, verdict: Verdict
) -> None:
    assert judge(bounds, failed("e", resource, type=type_)) is verdict


def test_the_id_of_a_notice_is_for_notices() -> None:
    notice = failed("notice-delivery-dead-0011223344556677-2026-05-21")
    assert judge(Bounds(), notice) is Verdict.OURS
    assert judge(Bounds(), failed("noticed")) is Verdict.WITHIN


def test_the_dedup_key_of_a_bound_emitter_is_that_of_its_bounds() -> None:
    event = failed("e", STORE, dedup_key="array-7")
    same, other = Bounds(("backup",), (STORE,)), Bounds(("backup",), ("/datastore/b",))
    mine, again = confined(same, event), confined(replace(same), event)
    assert fingerprint(mine) == fingerprint(again)
    assert len({fingerprint(each) for each in (event, mine, confined(other, event))}) == 3
    assert fingerprint(mine) != fingerprint(confined(same, replace(event, dedup_key="array-8")))


def test_no_text_on_the_wire_is_the_key_of_a_bound_emitter() -> None:
    key = confined(BOUND, failed("e", STORE, dedup_key="k")).dedup_key
    with pytest.raises(UnicodeEncodeError):
        key.encode()


@pytest.mark.parametrize("bounds", [Bounds(), BOUND])
def test_an_event_is_as_it_was_where_there_is_nothing_to_confine(bounds: Bounds) -> None:
    plain, keyed = failed("e", STORE), failed("e", STORE, dedup_key="k")
    assert confined(bounds, plain) is plain
    assert (confined(bounds, keyed) is keyed) is (bounds == Bounds())


def test_a_refusal_names_the_bounds_and_not_all_of_many() -> None:
    refused = refusal_of(Verdict.OTHER_RESOURCE, Bounds(resources=tuple("abcdefg")))
    assert refused is not None
    assert "a, b, c, d, e and 2 more" in refused.message


def test_what_is_within_is_not_refused() -> None:
    assert refusal_of(Verdict.WITHIN, BOUND) is None
