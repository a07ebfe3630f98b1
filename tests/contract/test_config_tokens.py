"""Tokens are kept the same way on every database: for good, hashed, and watched."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.support.config import START, FakeClock

from ibs_notify.config import tables
from ibs_notify.config.ports import Delta, Place
from ibs_notify.config.repository import ConfigRepository
from ibs_notify.config.token_view import TokenView
from ibs_notify.config.tokens import Tokens
from ibs_notify.config.watch import RevisionSignal
from ibs_notify.domain.errors import AlreadyExists, NotFound, NotificationError, Reason
from ibs_notify.domain.token import KnownToken, hash_of, parse
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.store.database import Database
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.token_pb2 import ROLE_EMITTER, ROLE_VIEWER, Token

pytestmark = pytest.mark.tables("config")


class Desk:
    """The use cases over a database, and what their process recognises callers by."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        self.signal = RevisionSignal()
        self.repository = ConfigRepository(database, self.clock, self.signal.advance)
        self.known: dict[str, KnownToken] = {}
        self.changed = asyncio.Event()
        self.view = TokenView(self.repository, self.signal, self._keep)
        self.tokens = Tokens(self.repository, self.view)

    def _keep(self, known: object) -> None:
        assert isinstance(known, dict)
        self.known = known
        self.changed.set()

    @property
    def names(self) -> set[str]:
        return {each.principal.name for each in self.known.values()}

    async def make(self, name: str, **fields: object) -> str:
        token = Token(name=name, role=ROLE_EMITTER, **fields)  # type: ignore[arg-type]  # any field
        return (await self.tokens.create(token, "alice", self.clock.now())).presented

    async def since(self, place: Place | None) -> Delta:
        return await self.repository.changes_since(
            place, include_secrets=False, include_tokens=True
        )


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_only_the_hash_of_a_secret_is_stored(desk: Desk, database: Database) -> None:
    presented = parse(await desk.make("ci"))
    assert presented is not None
    for table in (tables.TOKENS, tables.REVISIONS):
        rows = await database.read(lambda c, t=table: c.execute(sa.select(t)).all())  # type: ignore[misc]  # loop variable as default
        assert rows
        assert presented[1] not in repr(rows)
    stored = await database.read(
        lambda c: c.execute(sa.select(tables.TOKENS.c.secret_hash)).scalar_one()
    )
    assert bytes(stored) == hash_of(presented[1])


async def test_a_name_is_never_used_twice(desk: Desk) -> None:
    await desk.make("ci")
    with pytest.raises(AlreadyExists) as caught:
        await desk.make("ci")
    assert caught.value.reason is Reason.TOKEN_EXISTS
    await desk.tokens.revoke("ci", "bob")
    with pytest.raises(AlreadyExists):
        await desk.make("ci")


async def test_of_two_who_make_the_same_name_at_once_one_does(desk: Desk) -> None:
    answers = await asyncio.gather(desk.make("ci"), desk.make("ci"), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], NotificationError)


async def test_a_revoked_token_is_listed_where_asked_with_who_revoked_it(desk: Desk) -> None:
    await desk.make("a")
    await desk.make("b")
    revoked = await desk.tokens.revoke("a", "bob")
    assert revoked.revoked_by == "bob"
    assert revoked.revoke_time == moment_to_proto(START)
    live = await desk.tokens.page("", 10, include_revoked=False)
    assert [each.name for each in live] == ["b"]
    everyone = await desk.tokens.page("", 10, include_revoked=True)
    assert [each.name for each in everyone] == ["a", "b"]
    assert everyone[0] == revoked
    again = await desk.tokens.revoke("a", "carol")
    assert again == revoked


async def test_a_token_that_there_is_not_cannot_be_revoked(desk: Desk) -> None:
    with pytest.raises(NotFound) as caught:
        await desk.tokens.revoke("nobody", "bob")
    assert caught.value.reason is Reason.TOKEN_NOT_FOUND


async def test_the_last_use_is_kept_to_a_minute_never_goes_back_and_makes_no_revision(
    desk: Desk,
) -> None:
    await desk.make("ci")
    (token_id,) = desk.known
    revision = await desk.repository.revision()
    await desk.tokens.note_uses({token_id: START, "0" * 16: START})
    await desk.tokens.note_uses({token_id: START - timedelta(hours=1)})
    (token,) = await desk.tokens.page("", 10, include_revoked=False)
    assert token.last_use_time == moment_to_proto(START.replace(second=0))
    assert await desk.repository.revision() == revision
    revoked = await desk.tokens.revoke("ci", "bob")
    assert revoked.last_use_time == token.last_use_time


async def test_a_watcher_gets_each_token_that_counts_and_then_what_changes(desk: Desk) -> None:
    await desk.make("a")
    await desk.make("b")
    await desk.tokens.revoke("a", "bob")
    whole = await desk.since(None)
    assert [each.token.name for each in whole.tokens] == ["b"]
    await desk.make("c")
    await desk.tokens.revoke("b", "bob")
    delta = await desk.since(whole.place)
    assert {each.token.name: each.token.HasField("revoke_time") for each in delta.tokens} == {
        "b": True,
        "c": False,
    }
    assert delta.settings is None
    assert not (await desk.repository.changes_since(None, include_secrets=True)).tokens


async def test_a_change_of_something_else_is_no_change_of_tokens(desk: Desk) -> None:
    await desk.make("a")
    place = (await desk.since(None)).place
    await desk.repository.change("alice", lambda c: c.put_group(Group(name="ops")))
    delta = await desk.since(place)
    assert (len(delta.groups), delta.tokens, delta.settings) == (1, (), None)


async def test_a_process_recognises_what_it_made_and_what_another_one_made(
    desk: Desk, database: Database
) -> None:
    await desk.make("mine")
    assert desk.names == {"mine"}
    other = Desk(database)
    await other.view.load()
    await other.make("theirs")
    assert desk.names == {"mine"}
    following = asyncio.create_task(desk.view.run())
    try:
        await other.tokens.revoke("mine", "bob")
        desk.changed.clear()
        # As the poll of revisions says it.
        desk.signal.advance(await desk.repository.revision())
        async with asyncio.timeout(10):
            await desk.changed.wait()
        assert desk.names == {"theirs"}
    finally:
        desk.signal.close()
        await following


async def test_tokens_are_known_again_after_a_restart(desk: Desk, database: Database) -> None:
    await desk.make("ci", sources=["backup"], quota_per_minute=5)
    again = Desk(database)
    await again.view.load()
    assert again.known == desk.known
    (known,) = again.known.values()
    assert (known.principal.bounds.sources, known.quota_per_minute) == (("backup",), 5)


async def test_a_role_of_a_later_release_is_no_way_in(desk: Desk, database: Database) -> None:
    made = await desk.tokens.create(Token(name="v", role=ROLE_VIEWER), "alice", START)
    made.token.role = 99  # type: ignore[assignment]  # that is the point
    await database.write(
        lambda c: c.execute(sa.update(tables.TOKENS).values(message=made.token.SerializeToString()))
    )
    again = Desk(database)
    await again.view.load()
    assert again.known == {}
