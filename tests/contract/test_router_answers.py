"""What people ask of the Router is answered alike on every database."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.explain_equals import compare, configuration
from tests.support.router import Surroundings, group, metrics, surrounded, webhook

from ibs_notify.domain.clock import to_micros
from ibs_notify.domain.severity import Severity
from ibs_notify.router import coverage_reads
from ibs_notify.router.since import first_since
from ibs_notify.router.tables import EVENTS
from ibs_notify.store.database import Database
from ironcore.notification.v1 import disposition_pb2, event_pb2, group_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.tables("router")

START = datetime(2026, 5, 21, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def around(tmp_path: Path, database_url: str) -> AsyncIterator[Surroundings]:
    team = group("team", {"chat": "severity >= error", "pager": "*"}, rate_limit_per_minute=2)
    parts = (webhook("chat"), webhook("pager"), team)
    async with surrounded(tmp_path, *parts, database=database_url) as around:
        yield around


async def store(database: Database, *resources: str, severity: Severity = Severity.ERROR) -> None:
    """An event a minute, each about one of ``resources``; the first, at the start, has number 1."""
    rows = [
        {
            "seq": seq,
            "event_id": f"e{seq}",
            "received_at": to_micros(START + (seq - 1) * MINUTE),
            "revision": 1,
            "opened": 0,
            "closed": 0,
            "severity": severity.value,
            "type": "backup.failed",
            "resource": resource,
            "actor": "",
            "task_id": "",
            "body": b"",
            "packed": b"",
        }
        for seq, resource in enumerate(resources, start=1)
    ]
    await database.write(lambda c: c.execute(sa.insert(EVENTS), rows))


async def test_a_group_s_queue_is_counted(around: Surroundings) -> None:
    for number in range(5):
        await around.emit(f"e{number}", subject=f"job {number}")
    status = pb.GetGroupStatusResponse()
    while status.released_count < 2:
        request = pb.GetGroupStatusRequest(group="team")
        status = await around.stub.GetGroupStatus(request)
    assert [each.count for each in status.waiting] == [3]
    assert status.ready_count == 6
    assert status.HasField("next_release_time")
    listed = await around.stub.ListGroupStatuses(pb.ListGroupStatusesRequest(waiting_only=True))
    assert [(each.group, each.status.waiting) for each in listed.group_statuses] == [
        ("team", status.waiting)
    ]
    assert listed.group_statuses[0].status.ready_count == 6


async def test_silences_are_made_listed_and_ended(around: Surroundings) -> None:
    silence = pb.Silence(
        rule="type = backup.failed", comment="Schlüsseltausch", weekly="sun 1:00-2:00"
    )
    made = [
        (await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=silence))).silence
        for _ in range(3)
    ]
    page = await around.stub.ListSilences(pb.ListSilencesRequest(page_size=2))
    rest = await around.stub.ListSilences(
        pb.ListSilencesRequest(page_size=2, page_token=page.next_page_token)
    )
    assert [each.silence_id for each in (*page.silences, *rest.silences)] == [
        each.silence_id for each in reversed(made)
    ]
    await around.stub.ExpireSilence(pb.ExpireSilenceRequest(silence_id=made[0].silence_id))
    assert len((await around.stub.ListSilences(pb.ListSilencesRequest())).silences) == 2


async def test_silences_are_found_by_a_text_in_any_case_page_by_page(around: Surroundings) -> None:
    said = [
        ("subject = Nightly", "disk swap"),
        ("severity = info", "the NIGHTLY jobs are moved"),
        ('subject = "Übung 100%"', "a drill"),
        ("subject = 1000", "another"),
    ]
    made = [
        (
            await around.stub.CreateSilence(
                pb.CreateSilenceRequest(
                    silence=pb.Silence(rule=rule, comment=comment, weekly="sun 1:00-2:00")
                )
            )
        ).silence.silence_id
        for rule, comment in said
    ]
    await around.stub.ExpireSilence(pb.ExpireSilenceRequest(silence_id=made[1]))

    async def found(text: str, *, include_expired: bool = True) -> list[int]:
        places, request = [], pb.ListSilencesRequest(page_size=1, text=text)
        request.include_expired = include_expired
        while True:
            page = await around.stub.ListSilences(request)
            places += [made.index(each.silence_id) for each in page.silences]
            request.page_token = page.next_page_token
            if not request.page_token:
                return places

    assert await found("nightly") == [1, 0]
    assert await found("nightly", include_expired=False) == [0]
    assert await found("übung 100%") == [2]
    assert await found("100_") == []
    assert await found(made[3].upper()) == [3]
    assert await found("weekly") == []


async def test_what_is_explained_is_what_then_happens(tmp_path: Path, database_url: str) -> None:
    rng = random.Random(7)
    async with surrounded(tmp_path, *configuration(rng), database=database_url) as around:
        await compare(around, rng, 60)


async def test_a_stored_event_is_explained_to_its_end(around: Surroundings) -> None:
    await around.emit("one")
    await around.delivery.until(lambda: len(around.delivery.stored) == 2)
    await around.emit("two")
    answer = await around.stub.Explain(pb.ExplainRequest(event_id="two"))
    while not all("(delivered)" in each.sentence for each in answer.subscriptions):
        answer = await around.stub.Explain(pb.ExplainRequest(event_id="two"))
    assert all(each.sentence.startswith("it repeats one") for each in answer.subscriptions)


async def test_a_preview_replays_what_was_stored(around: Surroundings) -> None:
    for number in range(4):
        await around.emit(f"e{number}")
    answer = await around.stub.PreviewDedup(pb.PreviewDedupRequest(group="team"))
    assert (answer.examined, answer.count, answer.told) == (4, 8, 2)


async def test_coverage_finds_an_idle_rule_and_an_unheard_place(
    tmp_path: Path, database_url: str
) -> None:
    team = group("team", {"chat": "type = a.b", "pager": "resource under /datastore/a"})
    async with surrounded(
        tmp_path, webhook("chat"), webhook("pager"), team, database=database_url
    ) as around:
        await around.emit("one", resource="a:x")
        await around.emit("two", resource="b:x")
        answer = await around.stub.GetCoverage(pb.GetCoverageRequest())
    found = [each.subject for each in answer.findings]
    assert "team/chat" in found
    assert "/datastore/b" in found
    assert "/datastore/a" not in found


async def test_coverage_finds_alarms_and_errors_that_reach_only_the_inbox(
    tmp_path: Path, database_url: str
) -> None:
    picky = group("picky", {"chat": "severity = critical"})
    only_a = group(
        "only-a",
        {"pager": "*"},
        scope=group_pb2.GROUP_SCOPE_ATTACHED,
        attachments=["/datastore/a"],
    )
    async with surrounded(
        tmp_path, webhook("chat"), webhook("pager"), picky, only_a, database=database_url
    ) as around:
        await around.emit("one", resource="a:x")
        await around.emit("two", resource="b:x", type="backup.failed")
        answer = await around.stub.GetCoverage(pb.GetCoverageRequest())
    found = {each.kind: each for each in answer.findings}
    assert answer.findings[0].kind == pb.COVERAGE_KIND_UNHEARD_ALARM  # the gravest first
    assert answer.findings[0].subject == "notification.target-failing"
    assert found[pb.COVERAGE_KIND_UNHEARD_PROBLEM].subject == "/datastore/b"
    assert "backup.failed" in found[pb.COVERAGE_KIND_UNHEARD_PROBLEM].sentence


async def test_places_are_found_by_hops_and_each_once(database: Database) -> None:
    await store(
        database,
        "",
        "/datastore/a",
        "/datastore/a-b/x",
        "/datastore/a.b/x/1",
        "/datastore/a/x",
        "/datastore/a/x-y/1",
        "/datastore/a/x/1",
        "/datastore/a/x/2",
        "/datastore/A/x/2",
        "/datastore/ä/ß/1",
        "/datastorex/no",
        "/other/no",
        "no",
    )
    found = await database.read(coverage_reads.places_seen)
    assert len(found) == len(set(found))
    assert set(found) == {
        *(
            "/datastore/a",
            "/datastore/a/x",
            "/datastore/a/x-y",
            "/datastore/a-b",
            "/datastore/a-b/x",
        ),
        *("/datastore/a.b", "/datastore/a.b/x", "/datastore/A", "/datastore/A/x"),
        *("/datastore/ä", "/datastore/ä/ß"),
    }


async def test_what_is_below_a_place_is_counted_and_what_is_beside_it_is_not(
    database: Database,
) -> None:
    await store(database, "/datastore/a", "/datastore/a/x", "/datastore/a-b", "/datastore/a0/x")
    place = await database.read(lambda c: coverage_reads.place_of(c, "/datastore/a", 0, []))
    assert (place.event_count, place.was_heard) == (2, False)
    later = await database.read(lambda c: coverage_reads.place_of(c, "/datastore/a", 2, []))
    assert later.event_count == 1


async def test_critical_types_are_counted_since_a_moment(database: Database) -> None:
    await store(database, "a", "b", "c", severity=Severity.CRITICAL)
    assert await database.read(lambda c: coverage_reads.types_of(c, Severity.CRITICAL, 2, [])) == {
        "backup.failed": {"b": 1, "c": 1}
    }


async def test_critical_types_are_counted_by_datastore_where_nobody_was_told(
    tmp_path: Path, database_url: str
) -> None:
    on_a = group(
        "on-a", {"chat": "*"}, scope=group_pb2.GROUP_SCOPE_ATTACHED, attachments=["/datastore/a"]
    )
    rest = group("rest", {"gauge": "*", "chat": "resource under /datastore/b and severity < error"})
    async with surrounded(
        tmp_path, webhook("chat"), metrics("gauge"), on_a, rest, database=database_url
    ) as around:
        for number, resource in enumerate(("a:vm/1", "b:vm/1", "b:vm/2")):
            critical = event_pb2.SEVERITY_CRITICAL
            await around.emit(f"e{number}", resource=resource, type="a.b", severity=critical)
        answer = await around.stub.GetCoverage(pb.GetCoverageRequest())
    found = {each.subject: each for each in answer.findings}["a.b"]
    assert found.sentence == "about /datastore/b it would reach only the inbox"
    assert found.event_count == 2


async def test_the_first_event_since_a_moment_is_found_by_halves(database: Database) -> None:
    assert await database.read(lambda c: first_since(c, START)) == 0
    await store(database, *("x" for _ in range(7)))
    await database.write(lambda c: c.execute(sa.delete(EVENTS).where(EVENTS.c.seq.in_([1, 4]))))

    def since(connection: sa.Connection, minutes: float) -> list[int]:
        first = first_since(connection, START + minutes * MINUTE)
        query = sa.select(EVENTS.c.seq).where(EVENTS.c.seq >= first).order_by(EVENTS.c.seq)
        return list(connection.execute(query).scalars())

    for minutes, first in ((-5, 2), (1, 2), (2, 3), (2.5, 5), (3, 5), (6, 7), (7, 8)):
        found = await database.read(partial(since, minutes=minutes))
        assert found == [each for each in (2, 3, 5, 6, 7) if each >= first]


async def test_packed_events_are_unpacked_in_turns_so_that_others_have_theirs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_reads, "UNPACKED", 2)
    await store(database, *("x" for _ in range(7)))

    def pack(connection: sa.Connection) -> None:
        for seq in (1, 2, 4, 5, 6):
            record = pb.EventRecord(
                dispositions=[disposition_pb2.Disposition(subscription_uid=f"s{seq}")]
            )
            packed = {"closed": 1, "packed": record.SerializeToString()}
            connection.execute(sa.update(EVENTS).where(EVENTS.c.seq == seq).values(packed))

    await database.write(pack)
    turns, before = [], None
    while before != 0:
        turn = await database.read(partial(coverage_reads.packed_matches, begin=2, before=before))
        turns.append((sorted(turn.uids), turn.count))
        before = turn.before
    assert turns == [(["s5", "s6"], 2), (["s2", "s4"], 2), ([], 0)]
