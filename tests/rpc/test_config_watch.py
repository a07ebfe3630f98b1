"""WatchConfig over a real server: state, marker, changes, resumption, several replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support import keys
from tests.support.config import RunningConfig, create, refusal, running_config, smtp_target

from ibs_notify.config import tables
from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.engine import open_database
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.settings_pb2 import Settings

SECONDS = 10.0


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


class Watcher:
    """Reads a watch one whole state at a time."""

    def __init__(
        self, config: RunningConfig, token: str = "", *, secrets: bool = False, seen: int = 0
    ) -> None:
        self.call = config.stub.WatchConfig(
            pb.WatchConfigRequest(resume_token=token, include_secrets=secrets, seen_revision=seen)
        )

    async def batch(self) -> list[pb.WatchConfigResponse]:
        """Everything up to the next marker, which is last."""
        responses: list[pb.WatchConfigResponse] = []
        while not responses or responses[-1].WhichOneof("item") != "current":
            response = await asyncio.wait_for(self.call.read(), SECONDS)
            assert isinstance(response, pb.WatchConfigResponse)
            responses.append(response)
        return responses

    async def kinds(self) -> list[str | None]:
        return [each.WhichOneof("item") for each in await self.batch()]


async def make_group(config: RunningConfig, name: str, *targets: str) -> Group:
    subscriptions = [Subscription(target=target, rule="*") for target in targets]
    request = pb.CreateGroupRequest(group=Group(name=name, subscriptions=subscriptions))
    return (await config.stub.CreateGroup(request)).group


async def test_an_empty_configuration_is_settings_and_a_marker(config: RunningConfig) -> None:
    batch = await Watcher(config).batch()
    assert [each.WhichOneof("item") for each in batch] == ["settings", "current"]
    assert batch[0].resume_token == ""
    assert batch[-1].revision == 0
    assert batch[-1].resume_token


async def test_the_current_state_comes_first_and_then_each_change(config: RunningConfig) -> None:
    target = await create(config.stub, smtp_target())
    await make_group(config, "ops-team", "ops-smtp")
    watcher = Watcher(config)
    assert await watcher.kinds() == ["settings", "target", "group", "current"]
    await config.stub.UpdateSettings(
        pb.UpdateSettingsRequest(
            settings=Settings(sender="ibs@example.com"), update_mask=FieldMask(paths=["sender"])
        )
    )
    batch = await watcher.batch()
    assert [each.WhichOneof("item") for each in batch] == ["settings", "current"]
    assert [each.revision for each in batch] == [3, 3]
    await config.stub.DeleteTarget(pb.DeleteTargetRequest(name="ops-smtp", force=True))
    batch = await watcher.batch()
    assert {each.WhichOneof("item") for each in batch[:-1]} == {"group", "deleted_target_uid"}
    assert {each.revision for each in batch} == {4}
    assert target.uid in {each.deleted_target_uid for each in batch}
    await config.stub.DeleteGroup(pb.DeleteGroupRequest(name="ops-team"))
    assert await watcher.kinds() == ["deleted_group_uid", "current"]


async def test_a_token_resumes_after_what_was_seen(config: RunningConfig) -> None:
    await create(config.stub, smtp_target())
    token = (await Watcher(config).batch())[-1].resume_token
    await make_group(config, "ops-team", "ops-smtp")
    resumed = Watcher(config, token)
    batch = await resumed.batch()
    assert [each.WhichOneof("item") for each in batch] == ["group", "current"]
    assert batch[0].resume_token == token
    nothing_new = Watcher(config, batch[-1].resume_token)
    assert await nothing_new.kinds() == ["current"]


async def test_secrets_are_streamed_sealed_and_only_where_asked(config: RunningConfig) -> None:
    made = await create(config.stub, smtp_target())
    plain = await Watcher(config).batch()
    assert not any(each.target.secrets for each in plain)
    sealed = await Watcher(config, secrets=True).batch()
    secret = next(each for each in sealed if each.WhichOneof("item") == "target").target.secrets[0]
    assert b"correct horse" not in secret.ciphertext
    keyring = keys.load(keys.key_path(config.settings))
    opened = keyring.open(secret.ciphertext, target_uid=made.uid, field=secret.field)
    assert opened == "correct horse"


@pytest.mark.parametrize("token", ["nonsense", "00000000000000000000000000000000-0"])
async def test_a_token_of_nobody_is_expired(config: RunningConfig, token: str) -> None:
    error = await refusal(Watcher(config, token).call.read())
    assert isinstance(error, OutOfRange)
    assert error.reason is Reason.RESUME_TOKEN_EXPIRED


async def test_a_token_from_the_future_is_expired(config: RunningConfig) -> None:
    token = (await Watcher(config).batch())[-1].resume_token
    log_id = token.rpartition("-")[0]
    error = await refusal(Watcher(config, f"{log_id}-7").call.read())
    assert isinstance(error, OutOfRange)


async def test_a_change_on_one_replica_reaches_a_watcher_of_another(
    tmp_path: Path, postgres_url: str
) -> None:
    async with (
        running_config(tmp_path, postgres_url) as one,
        running_config(tmp_path, postgres_url) as other,
    ):
        watcher = Watcher(other)
        await watcher.batch()
        group = await make_group(one, "ops-team")
        batch = await watcher.batch()
        assert batch[0].group == group


async def test_a_watcher_that_does_not_read_delays_no_change(config: RunningConfig) -> None:
    slow = Watcher(config)
    await slow.batch()
    long = "/datastore/a/" + "x" * 1000
    for number in range(30):
        attachments = [f"{long}/{number}/{index}" for index in range(100)]
        request = pb.CreateGroupRequest(group=Group(name=f"g{number}", attachments=attachments))
        await asyncio.wait_for(config.stub.CreateGroup(request), SECONDS)
    seen: set[str] = set()
    while len(seen) < 30:
        batch = await slow.batch()
        seen |= {each.group.name for each in batch[:-1]}
    assert batch[-1].revision == 30


async def test_open_watches_end_cleanly_when_the_service_stops(tmp_path: Path) -> None:
    async with running_config(tmp_path) as config:
        watchers = [Watcher(config) for _ in range(3)]
        for watcher in watchers:
            await watcher.batch()
        await config.app.__aexit__(None, None, None)
        for watcher in watchers:
            assert await watcher.call.read() is grpc.aio.EOF
            assert await watcher.call.code() is grpc.StatusCode.OK


async def test_a_token_is_refused_by_a_restored_database_that_has_caught_up(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    async with running_config(home) as config:
        await make_group(config, "kept")
    kept = (home / "config.db").read_bytes()
    async with running_config(home) as config:
        await make_group(config, "lost")
        token = (await Watcher(config).batch())[-1].resume_token
    restore(home, kept)
    async with running_config(home) as config:
        await make_group(config, "new")
        await make_group(config, "newest")
        # By the numbers alone the watcher would be told of the newest, and never of the new one.
        assert isinstance(await refusal(Watcher(config, token).call.read()), OutOfRange)
        batch = await Watcher(config).batch()
        assert [each.group.name for each in batch if each.HasField("group")] == [
            "kept",
            "new",
            "newest",
        ]


async def test_no_revision_that_a_watcher_has_seen_is_given_again(config: RunningConfig) -> None:
    await make_group(config, "kept")
    other = Watcher(config)
    assert (await other.batch())[-1].revision == 1
    assert (await Watcher(config, seen=40).batch())[-1].revision == 41
    assert isinstance(await refusal(other.call.read()), OutOfRange)
    assert (await make_group(config, "new")).revision == 42


@pytest.mark.parametrize("seen", [0, -1, 10**15, 1])
async def test_what_a_watcher_has_seen_changes_nothing_where_it_is_not_ahead(
    config: RunningConfig, seen: int
) -> None:
    await make_group(config, "kept")
    assert (await Watcher(config, seen=seen).batch())[-1].revision == 1


async def test_a_database_that_goes_back_under_config_is_noticed(
    tmp_path: Path, postgres_url: str
) -> None:
    async with running_config(tmp_path, postgres_url) as config:
        await make_group(config, "kept")
        await make_group(config, "lost")
        watcher = Watcher(config)
        await watcher.batch()
        await go_back_to(postgres_url, 1)
        assert isinstance(await refusal(watcher.call.read()), OutOfRange)
        assert (await Watcher(config).batch())[-1].revision == 3


async def test_a_service_that_knew_a_lost_revision_is_ahead_of_it_after_a_restore(
    tmp_path: Path,
) -> None:
    home, kept = tmp_path / "home", tmp_path / "snapshot.pb"
    async with running_config(home) as config:
        await make_group(config, "kept")
    content = (home / "config.db").read_bytes()
    async with running_config(home) as config:
        await make_group(config, "lost")
        assert (await followed(config, kept, 2)).revision == 2
    restore(home, content)
    async with running_config(home) as config:
        # What was routed by revision 2 would otherwise wait for it as long as nothing changes.
        snapshot = await followed(config, kept, 3)
        assert [group.name for group in snapshot.groups] == ["kept"]


async def followed(config: RunningConfig, kept: Path, revision: int) -> Snapshot:
    """What a service has in force once that is of ``revision`` at least; ``kept`` is its file."""
    watcher = ConfigWatcher(config.channel, kept, include_secrets=False)
    task = asyncio.create_task(watcher.run())
    try:
        return await asyncio.wait_for(watcher.at_least(revision), SECONDS)
    finally:
        task.cancel()
        await asyncio.wait([task])


def restore(home: Path, content: bytes) -> None:
    """Put a copy of the database of before in place, as an administrator would."""
    for each in home.glob("config.db*"):
        each.unlink()
    (home / "config.db").write_bytes(content)


async def go_back_to(url: str, revision: int) -> None:
    """As if a standby had been promoted that had not received the rest."""
    database = await open_database(url)
    await database.write(
        lambda connection: connection.execute(sa.update(tables.STATE).values(revision=revision))
    )
    await database.close()
