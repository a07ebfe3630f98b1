"""Delivery's queue keeps its promises on every database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.support.delivery import FakeClock, completion, given_back, handoff, sendable

from ibs_notify.audit.reading import Query, page
from ibs_notify.delivery.admission import Admission
from ibs_notify.delivery.model import (
    LIFETIME,
    Alike,
    DeliveryRecord,
    Filter,
    Handoff,
    State,
    TargetStatus,
    Work,
)
from ibs_notify.delivery.ports import Standing, Turn
from ibs_notify.delivery.queue.by_request import Requests
from ibs_notify.delivery.queue.listing import Listing
from ibs_notify.delivery.repository import DeliveryQueue
from ibs_notify.delivery.tables import ATTEMPTS, AUDIT, METADATA
from ibs_notify.delivery.targets.breaker import Phase
from ibs_notify.delivery.transports.base import (
    Outcome,
    OutcomeReason,
    RecipientOutcome,
    Verdict,
)
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, NotFound
from ibs_notify.domain.severity import Severity
from ibs_notify.store.bulk import bulk_insert
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade

pytestmark = pytest.mark.tables("delivery")

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 200, "ok")
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_5XX, 503, "busy")
NEVER = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 404, "no such hook")
GONE = Outcome(Verdict.RETRY, OutcomeReason.HTTP_GONE, 410, "gone", pause=True)
SENDABLE = {"t1": Standing(Admission.SENDABLE)}
OVER = -1.0
"""The seconds of a lease that is over when it begins."""


class Desk:
    """A worker at the queue, and what everybody can see of it."""

    def __init__(
        self, database: Database, clock: FakeClock, holder: str, lease: float = 60.0
    ) -> None:
        self.clock = clock
        self.queue = DeliveryQueue(database, clock, holder, lease_seconds=lease)
        self.listing = Listing(database)
        self.requests = Requests(database, clock)

    async def accept(self, *handoffs: Handoff) -> None:
        await self.queue.accept(handoffs, sendable)

    async def claim(self, wanted: int = 1, uid: str = "t1", **changes: int) -> Sequence[Work]:
        return (await self.queue.turn(Turn(uid, wanted, **changes))).claimed  # type: ignore[arg-type]  # only numbers are given

    async def end(self, done: Work, outcome: Outcome, jitter: float = 0.5) -> bool:
        made = completion(done, outcome, self.clock.now(), jitter)
        return not (await self.queue.turn(Turn(done.target_uid, 0, done=(made,)))).lost

    async def see_all(self, works: Sequence[Work]) -> Sequence[DeliveryRecord]:
        return [await self.listing.find(each.delivery_id) for each in works]

    async def see(self, number: int) -> DeliveryRecord:
        return await self.listing.find(handoff(number).delivery_id)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, "worker-a")


@pytest.fixture
def rival(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock, "worker-b")


@pytest.fixture
def doomed(database: Database, clock: FakeClock) -> Desk:
    """A worker whose leases are over at once, as if it had died half a minute ago."""
    return Desk(database, clock, "worker-c", lease=OVER)


async def test_the_migrated_schema_is_that_of_the_tables(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"version_table": "delivery_schema_version"}
        )
        return list(compare_metadata(context, METADATA))

    assert await database.read(differences) == []


async def test_what_is_handed_over_twice_is_stored_once(desk: Desk) -> None:
    first = await desk.queue.accept([handoff(1), handoff(2)], sendable)
    again = await desk.queue.accept([handoff(2), handoff(3), handoff(3)], sendable)
    assert (first.accepted, first.known) == (2, 0)
    assert (again.accepted, again.known) == (1, 2)
    assert len(await desk.listing.page(Filter(), size=10, before_seq=None)) == 3


async def test_calls_at_the_same_time_share_a_transaction_and_have_answers_of_their_own(
    desk: Desk,
) -> None:
    answers = await asyncio.gather(
        *(desk.queue.accept([handoff(n), handoff(n + 1)], sendable) for n in range(0, 20, 2))
    )
    assert [answer.accepted for answer in answers] == [2] * 10


async def test_a_target_that_cannot_take_it_lets_it_wait_and_a_deleted_one_cancels_it(
    desk: Desk,
) -> None:
    await desk.queue.accept([handoff(1)], lambda *_: Admission.TARGET_DISABLED)
    await desk.queue.accept([handoff(2)], lambda *_: Admission.TARGET_DELETED)
    waiting, cancelled = await desk.see(1), await desk.see(2)
    assert (waiting.state, waiting.reason) == (State.WAITING, "TARGET_DISABLED")
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "TARGET_DELETED")
    assert cancelled.closed_at == desk.clock.now()
    assert await desk.claim(5) == ()


async def test_claims_come_most_severe_first_then_oldest(desk: Desk) -> None:
    await desk.accept(handoff(1, severity=Severity.INFO.value))
    await desk.accept(handoff(2, severity=Severity.CRITICAL.value), handoff(3))
    desk.clock.pass_time(seconds=1)
    await desk.accept(handoff(4, severity=Severity.CRITICAL.value))
    claimed = await desk.claim(3)
    assert [each.delivery_id for each in claimed] == [handoff(n).delivery_id for n in (2, 4, 3)]


async def test_a_claim_is_on_disk_as_a_started_attempt_before_anything_is_sent(
    desk: Desk,
) -> None:
    await desk.accept(handoff(1))
    await desk.claim()
    seen = await desk.see(1)
    assert (seen.state, seen.attempt_count) == (State.LEASED, 1)
    assert [(a.number, a.outcome, a.duration) for a in seen.attempts] == [(1, "started", None)]


async def test_a_delivered_one_keeps_what_the_peer_said(desk: Desk) -> None:
    await desk.accept(handoff(1))
    (mine,) = await desk.claim()
    assert await desk.end(mine, OK)
    seen = await desk.see(1)
    assert (seen.state, seen.closed_at, seen.due_at) == (
        State.DELIVERED,
        desk.clock.now(),
        None,
    )
    (attempt,) = seen.attempts
    assert (attempt.outcome, attempt.code, attempt.reply) == ("delivered", 200, "ok")
    assert attempt.duration == timedelta(milliseconds=12)
    status = await desk.listing.target_status("t1")
    assert (status.delivered_count, status.open_count) == (1, 0)
    assert (status.last_success_at, status.failing_since) == (desk.clock.now(), None)
    both = await desk.listing.target_statuses(["t1", "unknown"])
    assert (both["t1"], both["unknown"]) == (status, TargetStatus())


async def test_a_turn_settles_one_and_claims_the_next_at_once(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2))
    (first,) = await desk.claim()
    done = completion(first, OK, desk.clock.now())
    turned = await desk.queue.turn(Turn("t1", 1, done=(done,)))
    assert [each.delivery_id for each in turned.claimed] == [handoff(2).delivery_id]
    assert (await desk.see(1)).state is State.DELIVERED


async def test_a_turn_beside_an_acceptance_gets_what_is_accepted(desk: Desk) -> None:
    accepted, turned = await asyncio.gather(
        desk.queue.accept([handoff(1), handoff(2)], sendable), desk.queue.turn(Turn("t1", 1))
    )
    assert accepted.accepted == 2
    assert [each.delivery_id for each in turned.claimed] == [handoff(1).delivery_id]


async def test_turns_of_several_lanes_in_one_transaction_get_what_is_theirs(desk: Desk) -> None:
    await desk.accept(*(handoff(n, target_uid=f"t{n % 3}") for n in range(9)))
    turns = await asyncio.gather(
        *(desk.queue.turn(Turn(uid, 2)) for uid in ("t0", "t1", "t2", "t0"))
    )
    assert [len(turn.claimed) for turn in turns] == [2, 2, 2, 1]
    assert [{w.target_uid for w in turn.claimed} for turn in turns] == [
        {"t0"},
        {"t1"},
        {"t2"},
        {"t0"},
    ]


async def test_two_claimers_never_get_the_same_delivery(
    database_url: str, clock: FakeClock
) -> None:
    databases = [await open_database(database_url) for _ in range(2)]
    await upgrade(databases[0], "delivery")
    desks = [Desk(database, clock, f"worker-{n}") for n, database in enumerate(databases)]
    await desks[0].accept(*(handoff(n) for n in range(60)))
    claimed = await asyncio.gather(*(desks[n % 2].claim(5) for n in range(16)))
    ids = [each.delivery_id for works in claimed for each in works]
    assert len(ids) == 60
    assert len(set(ids)) == 60
    for database in databases:
        await database.close()


async def test_a_failed_one_is_due_again_later_and_then_queued_by_a_sweep(desk: Desk) -> None:
    await desk.accept(handoff(1))
    (mine,) = await desk.claim()
    await desk.end(mine, LATER)
    seen = await desk.see(1)
    assert (seen.state, seen.reason, seen.detail) == (State.RETRY_WAIT, "HTTP_5XX", "busy")
    assert seen.due_at is not None
    early = await desk.queue.sweep()
    assert (early.targets, early.next_due_at) == (frozenset(), seen.due_at)
    assert await desk.claim() == ()
    desk.clock.moment = seen.due_at
    assert (await desk.queue.sweep()).targets == {"t1"}
    (again,) = await desk.claim()
    assert (again.attempt, again.failures) == (2, 1)
    status = await desk.listing.target_status("t1")
    assert (status.last_failure, status.last_code) == ("busy", 503)
    assert status.failing_since is not None


async def test_a_clock_that_was_years_ahead_puts_nothing_off_by_years(desk: Desk) -> None:
    desk.clock.pass_time(days=400)
    await desk.accept(handoff(1))
    (mine,) = await desk.claim()
    await desk.end(mine, LATER)
    desk.clock.pass_time(days=-400)
    assert (await desk.queue.sweep()).targets == {"t1"}
    assert (await desk.see(1)).state is State.QUEUED


async def test_a_peer_that_refuses_one_message_does_not_fail(desk: Desk) -> None:
    bad = "bad@example.com"
    judged = (RecipientOutcome(bad, Verdict.REFUSED, 550, "no such user"),)
    nobody = Outcome(Verdict.REFUSED, OutcomeReason.SMTP_5XX, 550, "no", recipients=judged)
    await desk.accept(handoff(1))
    (first,) = await desk.claim()
    await desk.end(first, LATER)
    assert (await desk.listing.target_status("t1")).failing_since is not None
    await desk.accept(handoff(2, recipients=(bad,)))
    (second,) = await desk.claim()
    await desk.end(second, nobody)
    status = await desk.listing.target_status("t1")
    assert (status.last_failure, status.failing_since) == ("no", None)
    assert status.last_success_at is None


async def test_what_a_dead_worker_had_in_hand_is_taken_up_and_flagged(
    doomed: Desk, desk: Desk
) -> None:
    await desk.accept(handoff(1))
    await doomed.claim()
    assert (await desk.queue.sweep()).targets == {"t1"}
    (mine,) = await desk.claim()
    assert mine.attempt == 2
    assert mine.maybe_duplicate
    first, second = (await desk.see(1)).attempts
    assert (first.outcome, first.reason) == ("unknown", "WORKER_DIED")
    assert second.maybe_duplicate


async def test_the_outcome_of_a_lost_lease_changes_nothing(doomed: Desk, desk: Desk) -> None:
    await desk.accept(handoff(1))
    (late,) = await doomed.claim()
    await desk.queue.sweep()
    (mine,) = await desk.claim()
    assert not await doomed.end(late, NEVER)
    assert (await desk.see(1)).state is State.LEASED
    assert await desk.end(mine, OK)
    assert (await desk.see(1)).state is State.DELIVERED


async def test_a_lease_is_known_by_its_fence_also_to_its_own_holder(
    database: Database, clock: FakeClock, doomed: Desk
) -> None:
    same_holder = Desk(database, clock, "worker-c")
    await doomed.accept(handoff(1))
    (late,) = await doomed.claim()
    await doomed.queue.sweep()
    await same_holder.claim()
    assert not await same_holder.end(late, OK)
    assert (await doomed.see(1)).state is State.LEASED


async def test_a_heartbeat_keeps_work_from_being_taken_up(
    database: Database, clock: FakeClock, doomed: Desk, desk: Desk
) -> None:
    alive = Desk(database, clock, "worker-c")
    await desk.accept(handoff(1), handoff(2))
    first, _ = await doomed.claim(2)
    assert await alive.queue.heartbeat([first]) == 1
    await desk.queue.sweep()
    assert (await desk.see(1)).state is State.LEASED
    assert (await desk.see(2)).state is State.QUEUED


async def test_a_delivery_that_worker_after_worker_dies_of_is_given_up(
    doomed: Desk, desk: Desk
) -> None:
    await desk.accept(handoff(1))
    states: list[State] = []
    for _ in range(3):
        await doomed.claim()
        await desk.queue.sweep()
        states.append((await desk.see(1)).state)
        desk.clock.pass_time(seconds=60)
        await desk.queue.sweep()
    assert states == [State.QUEUED, State.RETRY_WAIT, State.DEAD]
    seen = await desk.see(1)
    assert (seen.reason, seen.attempt_count) == ("POISON", 3)


async def test_what_two_workers_died_with_is_tried_alone_so_that_only_the_culprit_is_given_up(
    doomed: Desk, desk: Desk
) -> None:
    numbers = (1, 2, 3)
    await desk.accept(*(handoff(n) for n in numbers))
    for _ in range(2):
        assert len(await doomed.claim(5)) == 3
        await desk.queue.sweep()
    desk.clock.pass_time(seconds=60)
    await desk.queue.sweep()
    await desk.accept(handoff(4), handoff(5, severity=Severity.CRITICAL.value))
    assert [each.event_id for each in await desk.see_all(await desk.claim(5))] == ["evt-5"]
    assert await desk.claim(5, in_hand=1) == ()
    assert len(await doomed.claim(5)) == 1
    await desk.queue.sweep()
    dead = [n for n in numbers if (await desk.see(n)).state is State.DEAD]
    assert len(dead) == 1
    for n in set(numbers) - set(dead):
        (mine,) = await desk.claim(5)
        assert mine.delivery_id == handoff(n).delivery_id
        await desk.end(mine, OK)
    assert [each.event_id for each in await desk.see_all(await desk.claim(5))] == ["evt-4"]


async def test_an_attempt_that_a_former_release_noted_when_it_began_ends_as_unknown(
    database: Database, doomed: Desk, desk: Desk
) -> None:
    await desk.accept(handoff(1))
    (mine,) = await doomed.claim()
    begun = (mine.seq, mine.attempt, 1_000_000, None, "started", "", 0, "", 0)
    await database.write(lambda c: bulk_insert(ATTEMPTS).run(c, [begun]))
    assert [each.outcome for each in (await desk.see(1)).attempts] == ["started"]
    await desk.queue.sweep()
    assert [each.outcome for each in (await desk.see(1)).attempts] == ["unknown"]


async def test_a_worker_that_says_how_it_ended_is_no_sign_of_poison(
    doomed: Desk, desk: Desk
) -> None:
    await desk.accept(handoff(1))
    for _ in range(4):
        await doomed.claim()
        await desk.queue.sweep()
        (mine,) = await desk.claim()
        await desk.end(mine, LATER, jitter=0.0)
        await desk.queue.sweep()
    assert (await desk.see(1)).state is State.QUEUED


async def test_work_that_was_not_begun_is_given_back_without_a_trace(desk: Desk) -> None:
    await desk.accept(handoff(1))
    (mine,) = await desk.claim()
    await desk.queue.turn(Turn("t1", 0, done=(given_back(mine, desk.clock.now()),)))
    seen = await desk.see(1)
    assert (seen.state, seen.attempt_count, seen.attempts) == (State.QUEUED, 0, ())
    (again,) = await desk.claim()
    assert (again.attempt, again.unfinished) == (1, 1)


async def test_a_restart_on_sqlite_frees_leases_that_last(
    sqlite_url: str, clock: FakeClock
) -> None:
    database = await open_database(sqlite_url)
    await upgrade(database, "delivery")
    former = Desk(database, clock, "former")
    await former.accept(handoff(1))
    await former.claim()
    await Desk(database, clock, "new").queue.recover()
    assert (await former.see(1)).state is State.QUEUED
    await database.close()


async def test_recipients_are_resolved_once_and_kept_with_their_outcomes(desk: Desk) -> None:
    await desk.accept(handoff(1))
    turned = await desk.queue.turn(Turn("t1", 1, fallback=("a@x", "b@x", "c@x")))
    (mine,) = turned.claimed
    mixed = Outcome(
        Verdict.RETRY,
        OutcomeReason.PARTLY_ACCEPTED,
        recipients=(
            RecipientOutcome("a@x", Verdict.DELIVERED, 250, "ok"),
            RecipientOutcome("b@x", Verdict.RETRY, 451, "greylisted"),
            RecipientOutcome("c@x", Verdict.REFUSED, 550, "nobody"),
        ),
    )
    await desk.end(mine, mixed, jitter=0.0)
    seen = await desk.see(1)
    assert [(r.address, r.state, r.code) for r in seen.recipients] == [
        ("a@x", State.DELIVERED, 250),
        ("b@x", State.QUEUED, 451),
        ("c@x", State.DEAD, 550),
    ]
    await desk.queue.sweep()
    (again,) = (await desk.queue.turn(Turn("t1", 1, fallback=("other@x",)))).claimed
    assert [r.address for r in again.recipients if r.state is State.QUEUED] == ["b@x"]
    await desk.end(again, Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 250, "ok"))
    dead = await desk.see(1)
    assert (dead.state, dead.reason, dead.detail) == (
        State.DEAD,
        "SMTP_5XX",
        "c@x: 550 nobody",
    )


async def test_a_target_that_is_gone_is_paused_with_all_its_deliveries(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2), handoff(3, target_uid="t2"))
    (mine,) = await desk.claim()
    await desk.end(mine, GONE)
    paused = {uid: Standing(Admission.TARGET_PAUSED) for uid in ("t1",)}
    assert await desk.claim(5) == ()
    assert (await desk.see(2)).reason == "TARGET_PAUSED"
    await desk.queue.examine(1, paused | {"t2": Standing(Admission.SENDABLE)})
    assert [(await desk.see(n)).reason for n in (1, 2, 3)] == [
        "TARGET_PAUSED",
        "TARGET_PAUSED",
        "",
    ]
    paused_since = (await desk.listing.target_status("t1")).breaker
    assert (paused_since.phase, paused_since.reason) == (Phase.PAUSED, "HTTP_GONE")
    assert (paused_since.since, paused_since.revision) == (desk.clock.now(), 1)
    assert await desk.queue.troubled() == {"t1": paused_since}
    assert await desk.queue.try_again("t1", revision=1) == 2
    (probe,) = await desk.claim(5)
    await desk.end(probe, OK)
    assert len(await desk.claim(5)) == 1


async def test_a_target_that_changes_moves_all_its_deliveries(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2), handoff(3))
    (mine,) = await desk.claim()
    await desk.end(mine, LATER)
    await desk.claim()
    disabled = {"t1": Standing(Admission.TARGET_DISABLED)}
    assert await desk.queue.examine(1, disabled) == frozenset()
    states = [(await desk.see(n)).state for n in (1, 2, 3)]
    assert states == [State.WAITING, State.LEASED, State.WAITING]
    assert await desk.queue.examine(2, SENDABLE) == {"t1"}
    assert (await desk.see(3)).state is State.QUEUED
    await desk.queue.examine(3, {})
    gone = await desk.see(3)
    assert (gone.state, gone.reason) == (State.CANCELLED, "TARGET_DELETED")
    assert (await desk.see(2)).state is State.LEASED


async def test_what_is_newer_than_the_configuration_waits_for_it(desk: Desk) -> None:
    await desk.queue.accept([handoff(1, revision=7)], lambda *_: Admission.CONFIG_BEHIND)
    await desk.queue.examine(6, {})
    assert (await desk.see(1)).reason == "CONFIG_BEHIND"
    assert await desk.queue.examine(7, SENDABLE) == {"t1"}
    assert (await desk.see(1)).state is State.QUEUED


async def test_a_delivery_that_stands_otherwise_than_its_target_is_found(desk: Desk) -> None:
    async def is_astray(standings: dict[str, Standing], revision: int = 1) -> bool:
        return await desk.queue.is_astray(revision, standings)

    disabled = {"t1": Standing(Admission.TARGET_DISABLED)}
    await desk.queue.accept([handoff(1)], lambda *_: Admission.TARGET_DISABLED)
    assert not await is_astray(disabled)
    assert await is_astray(SENDABLE)
    assert await is_astray({}), "its target is gone"
    await desk.queue.examine(1, SENDABLE)
    assert not await is_astray(SENDABLE)
    assert await is_astray(disabled)
    await desk.queue.accept([handoff(2, revision=7)], lambda *_: Admission.CONFIG_BEHIND)
    assert not await is_astray(SENDABLE, revision=6)
    assert await is_astray(SENDABLE, revision=7)


async def test_mails_that_name_nobody_wait_until_somebody_is_configured(desk: Desk) -> None:
    await desk.queue.accept(
        [handoff(1), handoff(2, recipients=("a@x",))], lambda *_: Admission.TARGET_DISABLED
    )
    nobody = {"t1": Standing(Admission.SENDABLE, lacks_recipients=True)}
    assert await desk.queue.examine(1, nobody) == {"t1"}
    assert (await desk.see(1)).reason == "NO_RECIPIENTS"
    assert (await desk.see(2)).state is State.QUEUED
    assert await desk.queue.examine(2, SENDABLE) == {"t1"}
    assert (await desk.see(1)).state is State.QUEUED


async def test_mails_that_wait_for_recipients_go_to_those_whom_their_group_names_by_now(
    desk: Desk,
) -> None:
    nobody = {"t1": Standing(Admission.SENDABLE, lacks_recipients=True)}
    named = {"t1": replace(nobody["t1"], named={"ops-team": ("a@x", "b@x")})}
    await desk.queue.accept(
        [handoff(1, group="ops-team"), handoff(2, group="on-call")],
        lambda *_: Admission.NO_RECIPIENTS,
    )
    assert not await desk.queue.is_astray(1, nobody)
    assert await desk.queue.is_astray(1, named)
    assert await desk.queue.examine(1, named) == {"t1"}
    assert not await desk.queue.is_astray(1, named)
    (work,) = (await desk.queue.turn(Turn("t1", 10))).claimed
    assert [each.address for each in work.recipients] == ["a@x", "b@x"]
    assert (await desk.see(2)).reason == "NO_RECIPIENTS"


async def test_a_target_without_a_transport_parks_its_queue_and_gets_it_back(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2, target_uid="t2"))
    await desk.queue.park("t1", Admission.SECRET_UNREADABLE)
    assert (await desk.see(1)).reason == "SECRET_UNREADABLE"
    assert await desk.queue.unpark("t1", Admission.TARGET_PAUSED) == 0
    assert await desk.queue.unpark("t1", Admission.SECRET_UNREADABLE) == 1
    assert (await desk.see(1)).state is State.QUEUED


async def test_what_waits_for_a_transport_is_found_by_every_replica(
    desk: Desk, rival: Desk
) -> None:
    await desk.accept(handoff(1), handoff(2), handoff(3, target_uid="t2"), handoff(4))
    await desk.queue.accept([handoff(5)], lambda *_: Admission.TARGET_DISABLED)
    assert await rival.queue.blocked() == []
    await desk.queue.park("t1", Admission.SECRET_UNREADABLE)
    await desk.queue.park("t2", Admission.MISCONFIGURED)
    assert await rival.queue.blocked() == [
        ("t1", Admission.SECRET_UNREADABLE),
        ("t2", Admission.MISCONFIGURED),
    ]
    await rival.queue.unpark("t1", Admission.SECRET_UNREADABLE)
    assert await desk.queue.blocked() == [("t2", Admission.MISCONFIGURED)]


async def test_max_rate_holds_for_all_workers_and_over_restarts(desk: Desk, rival: Desk) -> None:
    await desk.accept(*(handoff(n) for n in range(10)))
    assert len(await desk.claim(3, max_rate=5)) == 3
    desk.clock.pass_time(seconds=30)
    assert len(await rival.claim(3, max_rate=5)) == 2
    held = await desk.queue.turn(Turn("t1", 3, max_rate=5))
    assert held.claimed == ()
    assert held.next_at is not None
    desk.clock.moment = held.next_at
    assert len(await desk.claim(9, max_rate=5)) == 3


async def test_a_list_of_some_states_has_those_alone_newest_first(desk: Desk) -> None:
    await desk.accept(*(handoff(n, group="on-call" if n % 2 else "ops-team") for n in range(8)))
    for mine, outcome in zip(await desk.claim(5), (NEVER, NEVER, LATER, LATER, OK), strict=True):
        await desk.end(mine, outcome)
    everything = await desk.listing.page(Filter(), size=10, before_seq=None)
    assert len(everything) == 8
    failed = (State.DEAD, State.RETRY_WAIT)
    for states in (failed, (State.DEAD,), (*failed, State.DELIVERED), (*failed, State.QUEUED)):
        for groups in ((), ("on-call",)):
            which = Filter(states=states, groups=groups)
            expected = [
                each
                for each in everything
                if each.state in states and (not groups or each.group in groups)
            ]
            assert await desk.listing.page(which, size=10, before_seq=None) == expected
            assert await desk.listing.page(which, size=1, before_seq=None) == expected[:1]
            older = await desk.listing.page(which, size=10, before_seq=expected[0].seq)
            assert older == expected[1:]
            counted = await desk.listing.counts(which)
            assert sum(counted.values()) == len(expected)


async def test_what_was_sent_to_an_earlier_target_of_the_name_is_told_apart(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2, target_uid="t2"), handoff(3, target_uid="t2"))
    of_name = await desk.listing.counts(Filter(targets=["chat"]))
    assert {(each.target, each.target_uid): n for each, n in of_name.items()} == {
        ("chat", "t1"): 1,
        ("chat", "t2"): 2,
    }
    for which in (Filter(target_uids=["t2"]), Filter(target_uids=["t2"], states=[State.QUEUED])):
        found = await desk.listing.page(which, size=10, before_seq=None)
        assert [each.event_id for each in found] == ["evt-3", "evt-2"]
        assert sum((await desk.listing.counts(which)).values()) == 2


async def test_dead_ones_are_retried_by_filter_with_a_new_life(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2), handoff(3, group="on-call"))
    for mine in await desk.claim(3):
        await desk.end(mine, NEVER)
    desk.clock.pass_time(days=6)
    which = Filter(groups=["ops-team"], states=[State.DEAD])
    counted = await desk.requests.retry(which, sendable, "alice", dry_run=True)
    assert dict(counted.counts) == {Alike("chat", "t1", State.DEAD, "HTTP_4XX"): 2}
    assert await desk.listing.counts(which) == counted.counts
    assert counted.counts.total() == 2
    assert (await desk.see(1)).state is State.DEAD
    retried = await desk.requests.retry(which, sendable, "alice", dry_run=False)
    assert (retried.counts.total(), retried.targets) == (2, frozenset({"t1"}))
    assert (await desk.see(3)).state is State.DEAD
    mine, _ = await desk.claim(2)
    assert (mine.attempt, mine.failures) == (2, 0)
    assert mine.expires_at == desk.clock.now() + LIFETIME
    assert len((await desk.see(1)).attempts) == 2


async def test_a_retried_mail_leaves_out_whom_it_reached(desk: Desk) -> None:
    await desk.accept(handoff(1, recipients=("a@x", "b@x")))
    (mine,) = await desk.claim()
    mixed = Outcome(
        Verdict.REFUSED,
        OutcomeReason.PARTLY_ACCEPTED,
        recipients=(
            RecipientOutcome("a@x", Verdict.DELIVERED, 250, "ok"),
            RecipientOutcome("b@x", Verdict.REFUSED, 550, "nobody"),
        ),
    )
    await desk.end(mine, mixed)
    await desk.requests.retry(
        Filter(delivery_ids=[mine.delivery_id]), sendable, "alice", dry_run=False
    )
    (again,) = await desk.claim()
    assert [(r.address, r.state) for r in again.recipients] == [
        ("a@x", State.DELIVERED),
        ("b@x", State.QUEUED),
    ]


async def test_a_retry_of_what_still_cannot_be_sent_is_not_counted(desk: Desk) -> None:
    await desk.queue.accept([handoff(1)], lambda *_: Admission.TARGET_DELETED)
    retried = await desk.requests.retry(
        Filter(targets=["chat"]), lambda *_: Admission.TARGET_DELETED, "alice", dry_run=False
    )
    assert retried.counts.total() == 0
    assert (await desk.see(1)).state is State.CANCELLED


async def test_more_than_one_transaction_of_dead_ones_is_retried_completely(
    desk: Desk, database: Database
) -> None:
    await desk.accept(*(handoff(n) for n in range(700)))
    await desk.queue.examine(1, {})
    retried = await desk.requests.retry(Filter(targets=["chat"]), sendable, "alice", dry_run=False)
    assert retried.counts.total() == 700
    assert len(await desk.claim(1000)) == 700
    # Each part is in the audit log, by the transaction that did it.
    entries = (await database.read(lambda c: page(c, AUDIT, Query(), 9))).entries
    assert [(each.actor, each.act.action) for each in entries] == [("alice", "delivery.retry")] * 2
    assert [json.loads(each.act.after)["count"] for each in entries] == [200, 500]


async def test_open_ones_are_cancelled_by_filter_but_not_what_is_being_sent(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2, recipients=("a@x",)), handoff(3, event_id="other"))
    await desk.claim(1)
    which = Filter(event_ids=["evt-1", "evt-2"])
    assert (await desk.requests.cancel(which, "alice", dry_run=True)).total() == 1
    assert (await desk.requests.cancel(which, "alice", dry_run=False)).total() == 1
    seen = await desk.see(2)
    assert (seen.state, seen.reason) == (State.CANCELLED, "BY_REQUEST")
    assert [recipient.state for recipient in seen.recipients] == [State.CANCELLED]
    assert (await desk.see(1)).state is State.LEASED
    assert (await desk.see(3)).state is State.QUEUED


async def test_retry_and_cancel_refuse_an_empty_filter_and_states_they_cannot_change(
    desk: Desk,
) -> None:
    with pytest.raises(InvalidArgument, match="filter"):
        await desk.requests.retry(Filter(), sendable, "alice", dry_run=True)
    with pytest.raises(InvalidArgument, match="filter"):
        await desk.requests.cancel(Filter(), "alice", dry_run=True)
    with pytest.raises(FailedPrecondition, match="retried"):
        await desk.requests.retry(Filter(states=[State.DELIVERED]), sendable, "alice", dry_run=True)


async def test_pages_are_newest_first_and_stable_while_more_arrive(desk: Desk) -> None:
    await desk.accept(*(handoff(n) for n in range(5)))
    first = await desk.listing.page(Filter(), size=2, before_seq=None)
    await desk.accept(handoff(9))
    rest = await desk.listing.page(Filter(), size=9, before_seq=first[-1].seq)
    assert [each.event_id for each in (*first, *rest)] == [f"evt-{n}" for n in (4, 3, 2, 1, 0)]


async def test_what_is_tried_again_stays_among_the_troubled_while_it_is_tried(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2))

    async def troubled() -> list[str]:
        page = await desk.listing.page(Filter(troubled=True), size=10, before_seq=None)
        return [each.event_id for each in page]

    first, second = await desk.claim(2)
    assert await troubled() == []
    await desk.end(first, LATER)
    assert await troubled() == ["evt-1"]
    desk.clock.pass_time(hours=1)
    await desk.queue.sweep()
    (again,) = await desk.claim()
    assert again.delivery_id == first.delivery_id
    assert await troubled() == ["evt-1"]
    await desk.end(again, OK)
    assert await troubled() == []
    await desk.end(second, OK)


async def test_a_list_is_filtered_by_every_field_given(desk: Desk) -> None:
    await desk.accept(handoff(1), handoff(2, target="mail"), handoff(3, group="on-call"))
    desk.clock.pass_time(hours=1)
    await desk.accept(handoff(4))
    (mine,) = await desk.claim()
    await desk.end(mine, NEVER)

    async def found(which: Filter) -> list[str]:
        page = await desk.listing.page(which, size=10, before_seq=None)
        return sorted(each.event_id for each in page)

    assert await found(Filter(targets=["mail", "pager"])) == ["evt-2"]
    assert await found(Filter(groups=["on-call"])) == ["evt-3"]
    assert await found(Filter(states=[State.DEAD], reasons=["HTTP_4XX"])) == ["evt-1"]
    assert await found(Filter(troubled=True)) == ["evt-1"]
    assert await found(Filter(after=desk.clock.now())) == ["evt-4"]
    assert await found(Filter(before=desk.clock.now(), states=[State.QUEUED])) == [
        "evt-2",
        "evt-3",
    ]
    assert await found(Filter(delivery_ids=[handoff(4).delivery_id])) == ["evt-4"]


async def test_a_list_says_what_the_last_attempt_was_answered(desk: Desk) -> None:
    await desk.accept(*(handoff(n) for n in range(1, 5)))
    refused, delayed, taken = await desk.claim(3)
    await desk.end(refused, NEVER)
    await desk.end(delayed, LATER)
    await desk.end(taken, OK)
    page = await desk.listing.page(Filter(), size=10, before_seq=None)
    codes = {each.event_id: each.last_code for each in page}
    assert codes == {"evt-1": 404, "evt-2": 503, "evt-3": 0, "evt-4": 0}
    assert (await desk.see(1)).last_code == 404


async def test_a_list_has_the_bodies_only_where_they_are_asked_for(desk: Desk) -> None:
    await desk.accept(handoff(1))
    (without,) = await desk.listing.page(Filter(), size=1, before_seq=None)
    (with_it,) = await desk.listing.page(Filter(), size=1, before_seq=None, bodies=True)
    assert (without.body, with_it.body) == (b"", handoff(1).body)
    assert (await desk.see(1)).body == handoff(1).body


async def test_a_delivery_is_found_by_the_beginning_of_its_id(desk: Desk) -> None:
    await desk.accept(handoff(1, delivery_id="abcdefgh-1"), handoff(2, delivery_id="abcdefgh-2"))
    assert (await desk.listing.find("abcdefgh-2")).event_id == "evt-2"
    with pytest.raises(InvalidArgument, match="several"):
        await desk.listing.find("abcdefgh")
    with pytest.raises(InvalidArgument, match="first 8"):
        await desk.listing.find("abcdefg")
    for unknown in ("abcdefgh-3", "________", "%%%%%%%%"):
        with pytest.raises(NotFound):
            await desk.listing.find(unknown)


async def test_ids_are_in_bytewise_order_whatever_the_database_collates(desk: Desk) -> None:
    ids = ["b-1", "B-1", "a_1", "a-1", "A1", "1a", "a.1", "Z"]
    await desk.accept(*(handoff(n, delivery_id=each) for n, each in enumerate(ids)))
    first = await desk.listing.ids(size=3, after="")
    rest = await desk.listing.ids(size=10, after=first[-1].delivery_id)
    assert [each.delivery_id for each in (*first, *rest)] == sorted(ids)


async def test_what_was_stored_is_there_after_a_restart(
    database_url: str, database: Database, desk: Desk, tmp_path: Path
) -> None:
    await desk.accept(handoff(1, suppressed_count=3, body=b"\x00\xff"))
    other = await open_database(database_url)
    (mine,) = await Desk(other, desk.clock, "worker-z").claim()
    assert (mine.suppressed_count, mine.body) == (3, b"\x00\xff")
    await other.close()
