"""An emitter that is bound emits of its sources and resources, and of nothing else."""

from __future__ import annotations

import pytest
from tests.support.core import failed

from ibs_notify.domain.principal import UNBOUND, Bounds
from ibs_notify.router.emitter_bounds import Verdict, judge, refusal_of

STORE = "/datastore/ibs-primary"
BOUND = Bounds(("backup", "verify"), (STORE, "/datastore/b/production"))


@pytest.mark.parametrize(
    ("bounds", "type_", "resource", "verdict"),
    [
        (UNBOUND, "sync.failed", "", Verdict.WITHIN),
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


def test_a_refusal_names_the_bounds_and_not_all_of_many() -> None:
    refused = refusal_of(Verdict.OTHER_RESOURCE, Bounds(resources=tuple("abcdefg")))
    assert refused is not None
    assert "a, b, c, d, e and 2 more" in refused.message


def test_what_is_within_is_not_refused() -> None:
    assert refusal_of(Verdict.WITHIN, BOUND) is None
