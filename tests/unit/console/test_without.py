"""What nobody would be told of without a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ibs_notify.console.coverage.hearing import Hearing
from ibs_notify.console.coverage.without import Gap, without
from ibs_notify.console.targets.health import Standing
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.event_pb2 import SEVERITY_ERROR, SEVERITY_INFO, SEVERITY_WARNING

SEVERITIES = {
    "backup.failed": SEVERITY_ERROR,
    "backup.warning": SEVERITY_WARNING,
    "backup.completed": SEVERITY_INFO,
}
TELLS, COUNTS = pb.HEARING_EFFECT_TELLS, pb.HEARING_EFFECT_COUNTS
SUBSCRIPTIONS = [
    pb.HearingSubscription(group="ops", target="mail", effect=TELLS),
    pb.HearingSubscription(group="ops", target="chat", effect=TELLS),
    pb.HearingSubscription(group="all", target="mail", effect=TELLS),
    pb.HearingSubscription(group="all", target="metrics", effect=COUNTS),
]
MAIL, CHAT, MAIL_OF_ALL, METRICS = range(4)


def heard(resource: str, by: Mapping[str, Sequence[int]], troubled: Sequence[str] = ()) -> Hearing:
    types = [
        pb.TypeHearing(
            type=name,
            severity=SEVERITIES[name],
            told=any(SUBSCRIPTIONS[each].effect == TELLS for each in places),
            subscriptions=places,
        )
        for name, places in by.items()
    ]
    standings = {each: cast(Standing, None) for each in troubled}
    return Hearing(resource, types, SUBSCRIPTIONS, (), standings)


def is_mail(each: pb.HearingSubscription) -> bool:
    return each.target == "mail"


def test_what_only_a_target_tells_of_is_a_gap_of_all_places_that_lose_the_same() -> None:
    same = {"backup.failed": [MAIL, CHAT], "backup.warning": [MAIL, MAIL_OF_ALL, METRICS]}
    places = [heard("/datastore/a", same), heard("/datastore/b", same)]
    places.append(heard("/datastore/c", {"backup.failed": [MAIL], "backup.warning": [MAIL]}))
    found = without(places, 9, is_mail)
    assert found.gaps == [
        Gap(("backup.failed", "backup.warning"), ["/datastore/c"]),
        Gap(("backup.warning",), ["/datastore/a", "/datastore/b"]),
    ]
    assert not found.waiting
    assert (found.tells, found.seen, found.total) == (True, 3, 9)


def test_what_is_no_problem_is_told_apart() -> None:
    found = without([heard("/datastore/a", {"backup.completed": [MAIL]})], 1, is_mail)
    assert (found.gaps, found.routine) == ([], ["backup.completed"])


def test_who_else_takes_nothing_now_tells_nobody() -> None:
    by = {"backup.failed": [MAIL, CHAT]}
    found = without([heard("/datastore/a", by, troubled=["chat"])], 1, is_mail)
    assert (found.gaps, found.waiting) == ([], [Gap(("backup.failed",), ["/datastore/a"])])
    # Where it takes nothing itself, nothing becomes worse by that.
    found = without([heard("/datastore/a", by, troubled=["chat", "mail"])], 1, is_mail)
    assert not found.waiting


def test_a_group_goes_and_its_targets_tell_by_others() -> None:
    by = {"backup.failed": [MAIL, MAIL_OF_ALL], "backup.warning": [CHAT]}
    found = without([heard("/datastore/a", by)], 1, lambda each: each.group == "ops")
    assert found.gaps == [Gap(("backup.warning",), ["/datastore/a"])]


def test_who_counts_only_tells_nobody() -> None:
    by = {"backup.failed": [MAIL, METRICS], "backup.warning": []}
    found = without([heard("/datastore/a", by)], 1, lambda each: each.target == "metrics")
    assert not found.gaps
    assert not found.tells
