"""WatchConfig over a real server: state, marker, changes, resumption, several replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.config import RunningConfig, create, refusal, running_config, smtp_target

from ibs_notify.domain.errors import OutOfRange, Reason
from ibs_notify.secrets import envelope
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

    def __init__(self, config: RunningConfig, token: str = "", *, secrets: bool = False) -> None:
        self.call = config.stub.WatchConfig(
            pb.WatchConfigRequest(resume_token=token, include_secrets=secrets)
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
    keyring = envelope.load(config.settings.key_path)
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
