"""The configuration is kept the same way on every database."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.support.config import START, FakeClock, smtp_target, webhook_target

from ibs_notify.config import tables
from ibs_notify.config.ports import Change, Place
from ibs_notify.config.repository import ConfigRepository
from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.store.database import Database
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import downgrade, upgrade
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target

pytestmark = pytest.mark.tables("config")


@pytest.fixture
def repository(database: Database) -> ConfigRepository:
    return ConfigRepository(database, FakeClock(), lambda _revision: None)


async def add_target(repository: ConfigRepository, target: Target) -> Target:
    target.uid = f"uid-{target.name}"
    return await repository.change("alice", lambda c: c.put_target(target, {"smtp.password": b"x"}))


async def add_group(repository: ConfigRepository, name: str) -> Group:
    return await repository.change("alice", lambda c: c.put_group(Group(name=name)))


async def test_the_migrated_schema_is_that_of_the_tables(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        def is_ours(name: str | None, kind: str, *_: object) -> bool:
            return kind != "table" or name != "config_schema_version"

        context = MigrationContext.configure(
            connection, opts={"include_name": is_ours, "compare_type": True}
        )
        return list(compare_metadata(context, tables.METADATA))

    assert await database.write(differences) == []


async def test_the_schema_can_go_back_to_nothing_and_forward_again(database: Database) -> None:
    await downgrade(database, "config", "base")
    names = await database.read(lambda connection: sa.inspect(connection).get_table_names())
    assert [name for name in names if name != "config_schema_version"] == []
    await upgrade(database, "config")
    assert await ConfigRepository(database, FakeClock(), lambda _: None).revision() == 0


async def test_a_new_resource_has_a_uid_an_author_a_time_and_a_revision(
    repository: ConfigRepository,
) -> None:
    group = await add_group(repository, "ops-team")
    assert group.uid
    assert group.revision == 1
    assert group.etag
    assert group.created_by == group.updated_by == "alice"
    assert group.create_time.ToJsonString() == START.isoformat().replace("+00:00", "Z")
    assert await repository.read(lambda view: view.group("ops-team")) == group


async def test_a_change_keeps_the_maker_and_changes_the_etag(repository: ConfigRepository) -> None:
    before = await add_group(repository, "ops-team")
    etag = before.etag

    def describe(change: Change) -> Group:
        group = change.group("ops-team")
        assert group is not None
        group.description = "new"
        return change.put_group(group)

    after = await repository.change("bob", describe)
    assert (after.created_by, after.updated_by) == ("alice", "bob")
    assert after.etag != etag
    assert await repository.read(lambda view: view.group("ops-team")) == after


async def test_no_secret_is_in_a_stored_message(
    repository: ConfigRepository, database: Database
) -> None:
    await add_target(repository, smtp_target(password="canary-4711"))
    for table, column in ((tables.TARGETS, "message"), (tables.REVISIONS, "payload")):
        stored = await database.read(
            lambda c, t=table, n=column: c.execute(sa.select(t.c[n])).scalars().all()  # type: ignore[misc]  # loop variables as defaults
        )
        assert len(stored) == 1
        assert b"canary-4711" not in bytes(stored[0])


async def test_flags_say_which_secrets_are_stored(repository: ConfigRepository) -> None:
    saved = await add_target(repository, smtp_target())
    assert saved.smtp.password_set
    assert saved.smtp.password == ""
    again = await repository.read(lambda view: view.target("ops-smtp"))
    assert again == saved
    cleared = await repository.change("alice", lambda c: c.put_target(saved, {}))
    assert not cleared.smtp.password_set
    assert await repository.read(lambda view: view.sealed(saved.uid)) == {}


async def test_a_target_is_deleted_with_its_secrets(
    repository: ConfigRepository, database: Database
) -> None:
    saved = await add_target(repository, smtp_target())
    await repository.change("alice", lambda change: change.delete_target(saved))
    assert await repository.read(lambda view: view.target("ops-smtp")) is None
    count = sa.select(sa.func.count()).select_from(tables.SECRETS)
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0


async def test_names_are_in_order_of_code_points(repository: ConfigRepository) -> None:
    names = ["aa", "a.c", "a-b", "a_d", "b", "a"]
    for name in names:
        await add_group(repository, name)
    listed = await repository.read(lambda view: view.groups())
    assert [group.name for group in listed] == sorted(names)
    rest = await repository.read(lambda view: view.groups("a.c", 2))
    assert [group.name for group in rest] == ["a_d", "aa"]


async def test_a_refused_change_leaves_no_trace_and_no_gap(repository: ConfigRepository) -> None:
    def half(change: Change) -> None:
        change.put_group(Group(name="half"))
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await repository.change("alice", half)
    assert await repository.revision() == 0
    assert (await add_group(repository, "next")).revision == 1


async def test_work_that_writes_nothing_makes_no_revision(repository: ConfigRepository) -> None:
    await repository.change("alice", lambda change: change.groups())
    assert await repository.revision() == 0


async def test_revisions_of_several_writers_have_no_gap_and_no_double(
    repository: ConfigRepository, database_url: str
) -> None:
    database = await open_database(database_url)
    replica = ConfigRepository(database, FakeClock(), lambda _: None)
    try:
        saved = await asyncio.gather(
            *(
                add_group(each, f"g{n}-{i}")
                for n in range(10)
                for i, each in _both(repository, replica)
            )
        )
    finally:
        await database.close()
    assert sorted(group.revision for group in saved) == list(range(1, 21))
    delta = await repository.changes_since(None, include_secrets=False)
    assert delta.place.revision == 20
    assert len(delta.groups) == 20


def _both(*repositories: ConfigRepository) -> list[tuple[int, ConfigRepository]]:
    return list(enumerate(repositories))


async def test_each_commit_is_announced_with_its_revision(database: Database) -> None:
    announced: list[int] = []
    repository = ConfigRepository(database, FakeClock(), announced.append)
    await add_group(repository, "a")
    await add_group(repository, "b")
    assert announced == [1, 2]


async def test_everything_is_the_whole_state_with_secrets_only_where_asked(
    repository: ConfigRepository,
) -> None:
    await add_target(repository, smtp_target())
    await add_group(repository, "ops-team")
    plain = await repository.changes_since(None, include_secrets=False)
    assert [len(each.secrets) for each in plain.targets] == [0]
    assert plain.settings is not None
    assert plain.settings.time_zone == "UTC"
    full = await repository.changes_since(None, include_secrets=True)
    assert full.targets[0].secrets[0].field == "smtp.password"
    assert full.targets[0].secrets[0].ciphertext == b"x"
    assert full.place.revision == 2


async def test_only_what_changed_since_a_place_is_sent_and_as_it_is_now(
    repository: ConfigRepository,
) -> None:
    target = await add_target(repository, smtp_target())
    place = (await repository.changes_since(None, include_secrets=False)).place
    await add_target(repository, webhook_target())
    group = await add_group(repository, "ops-team")
    await repository.change("alice", lambda change: change.put_group(group))
    await repository.change("alice", lambda change: change.delete_target(target))
    delta = await repository.changes_since(place, include_secrets=True)
    assert [each.target.name for each in delta.targets] == ["chat-ops"]
    assert [(each.name, each.revision) for each in delta.groups] == [("ops-team", 4)]
    assert [(each.uid, each.revision) for each in delta.deleted_targets] == [(target.uid, 5)]
    assert delta.settings is None
    assert delta.place == Place(place.log_id, 5)


async def test_changed_settings_are_sent(repository: ConfigRepository) -> None:
    place = (await repository.changes_since(None, include_secrets=False)).place
    for sender in ("a@example.com", "b@example.com"):
        settings = Settings(sender=sender)
        await repository.change("alice", lambda change, s=settings: change.put_settings(s))  # type: ignore[misc]  # a loop variable as default
    delta = await repository.changes_since(place, include_secrets=False)
    assert delta.settings is not None
    assert (delta.settings.sender, delta.settings.revision) == ("b@example.com", 2)
    assert delta.settings.updated_by == "alice"


async def test_a_place_that_was_pruned_is_of_another_log_or_in_the_future_is_refused(
    database: Database,
) -> None:
    repository = ConfigRepository(database, FakeClock(), lambda _: None, kept_revisions=2)
    log_id = (await repository.changes_since(None, include_secrets=False)).place.log_id
    for name in ("a", "b", "c"):
        await add_group(repository, name)
    for place in (Place(log_id, 0), Place(log_id, 4), Place("f" * 32, 2)):
        with pytest.raises(OutOfRange) as caught:
            await repository.changes_since(place, include_secrets=False)
        assert caught.value.reason is Reason.RESUME_TOKEN_EXPIRED
    oldest = await repository.changes_since(Place(log_id, 1), include_secrets=False)
    assert [group.name for group in oldest.groups] == ["b", "c"]
    newest = await repository.changes_since(Place(log_id, 3), include_secrets=False)
    assert newest.groups == ()


async def test_a_change_of_several_resources_has_one_revision(
    repository: ConfigRepository, database: Database
) -> None:
    def both(change: Change) -> int:
        change.put_group(Group(name="a"))
        change.put_group(Group(name="b"))
        return change.revision

    assert await repository.change("alice", both) == 1
    log = tables.REVISIONS.c
    rows = await database.read(
        lambda c: c.execute(
            sa.select(log.revision, log.position, log.name, log.operation, log.author)
        ).all()
    )
    assert sorted(tuple(row) for row in rows) == [
        (1, 0, "a", "created", "alice"),
        (1, 1, "b", "created", "alice"),
    ]
