"""The watcher follows Config, keeps what it has on disk, and works on when Config is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.config import FakeClock
from tests.support.router import (
    NOWHERE,
    OPERATIONS,
    PATIENCE_SECONDS,
    FakeConfig,
    Watched,
    fake_config,
    group,
    items,
    mail,
    serving,
    webhook,
)

from ibs_notify.domain.clock import Clock
from ibs_notify.domain.group import Frequency, Scope
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.snapshot import watcher as watcher_module
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.snapshot.watcher import ConfigWatcher
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import settings_pb2, target_pb2

Settings = settings_pb2.Settings
Item = pb.WatchConfigResponse


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(watcher_module, "LONGEST_PAUSE_SECONDS", 0.02)


@pytest.fixture
async def config() -> FakeConfig:
    return fake_config()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.pb"


class Heard(Watched, logging.Handler):
    """What the watcher logs, from debug on."""

    def __init__(self) -> None:
        Watched.__init__(self)
        logging.Handler.__init__(self)
        self.levels: list[int] = []
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.levels.append(record.levelno)
        self.texts.append(record.getMessage())
        self.moved()


@pytest.fixture
async def heard(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Heard]:
    heard = Heard()
    watcher_module.log.addHandler(heard)
    with caplog.at_level(logging.DEBUG, watcher_module.log.name):
        yield heard
    watcher_module.log.removeHandler(heard)


class Following:
    """A running watcher, and every snapshot that it published."""

    def __init__(self, watcher: ConfigWatcher) -> None:
        self.watcher = watcher
        self.seen: list[Snapshot] = []
        watcher.on_change(self.seen.append)

    async def revision(self, number: int) -> Snapshot:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.watcher.at_least(number)


@asynccontextmanager
async def following(
    address: str, path: Path, *, include_secrets: bool = False, clock: Clock | None = None
) -> AsyncIterator[Following]:
    async with open_plain_channel(address) as channel:
        watcher = ConfigWatcher(channel, path, include_secrets=include_secrets, clock=clock)
        found = Following(watcher)
        task = asyncio.create_task(found.watcher.run())
        yield found
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def followed(
    config: FakeConfig, path: Path, *, include_secrets: bool = False
) -> AsyncIterator[Following]:
    async with (
        serving(config) as port,
        following(f"127.0.0.1:{port}", path, include_secrets=include_secrets) as found,
    ):
        yield found


def names(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Of targets and of groups."""
    targets = sorted(each.name for each in snapshot.targets.values())
    return targets, [each.name for each in snapshot.groups]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def beside(path: Path) -> list[Path]:
    return list(path.parent.iterdir())


def tear(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def kept_in(path: Path) -> pb.ConfigSnapshot:
    return pb.ConfigSnapshot.FromString(path.read_bytes())


async def test_the_whole_state_comes_first(config: FakeConfig, path: Path) -> None:
    config.change(items(*OPERATIONS, Settings(public_url="https://ibs.example.com")))
    async with followed(config, path) as found:
        snapshot = await found.revision(1)
    assert names(snapshot) == (["chat-ops", "ops-smtp"], ["ops-team"])
    assert snapshot.settings.public_url == "https://ibs.example.com"
    assert snapshot.revision == 1
    assert found.seen == [snapshot]
    chat = snapshot.target_named("chat-ops")
    assert chat is not None
    assert snapshot.targets[chat.uid] is chat
    assert snapshot.target_named("nobody") is None


async def test_an_empty_configuration_is_one(config: FakeConfig, path: Path) -> None:
    async with followed(config, path) as found:
        assert names(await found.revision(0)) == ([], [])


async def test_changes_and_deletions_follow(config: FakeConfig, path: Path) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, path) as found:
        before = await found.revision(1)
        config.change(items(webhook("pager"), group("ops-team", {"pager": "*"})))
        changed = await found.revision(2)
        config.change(
            [Item(deleted_target_uid="uid-chat-ops"), Item(deleted_group_uid="uid-ops-team")]
        )
        after = await found.revision(3)
    assert names(before) == (["chat-ops", "ops-smtp"], ["ops-team"])
    assert names(changed) == (["chat-ops", "ops-smtp", "pager"], ["ops-team"])
    assert [each.target for each in changed.groups[0].subscriptions] == ["pager"]
    assert names(after) == (["ops-smtp", "pager"], [])
    assert [each.revision for each in found.seen] == [1, 2, 3]


async def test_items_of_one_revision_are_applied_together(config: FakeConfig, path: Path) -> None:
    async with followed(config, path) as found:
        await found.revision(0)
        for number in range(1, 6):
            config.change(items(webhook(f"t{number}"), group(f"g{number}", {f"t{number}": "*"})))
        await found.revision(5)
    for snapshot in found.seen:
        targets, groups = names(snapshot)
        assert [each[1:] for each in targets] == [each[1:] for each in groups]
        assert len(groups) == snapshot.revision


async def test_a_lost_watch_resumes_where_it_was(config: FakeConfig, path: Path) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, path) as found:
        await found.revision(1)
        config.cut()
        config.change(items(webhook("pager")))
        snapshot = await found.revision(2)
        await config.until(lambda: len(config.requests) == 2)
    assert [each.resume_token for each in config.requests] == ["", "1"]
    assert names(snapshot)[0] == ["chat-ops", "ops-smtp", "pager"]


async def test_a_watch_that_resumes_with_nothing_new_publishes_nothing(
    config: FakeConfig, path: Path
) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, path) as found:
        await found.revision(1)
        config.cut()
        await config.until(lambda: len(config.requests) == 2)
        config.change(items(webhook("pager")))
        await found.revision(2)
    assert [each.revision for each in found.seen] == [1, 2]


async def test_an_expired_token_starts_over_with_the_whole_state(
    config: FakeConfig, path: Path
) -> None:
    config.change(items(*OPERATIONS))
    config.expired.add("1")
    async with followed(config, path) as found:
        await found.revision(1)
        config.cut()
        config.change([Item(deleted_target_uid="uid-chat-ops")])
        snapshot = await found.revision(2)
    assert [each.resume_token for each in config.requests] == ["", "1", ""]
    assert names(snapshot)[0] == ["ops-smtp"]


async def test_starting_over_forgets_what_the_new_state_does_not_have(
    config: FakeConfig, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config.change(items(*OPERATIONS))
    config.change([])
    restored = fake_config()
    restored.change(items(webhook("other")))
    async with followed(config, path) as found:
        await found.revision(2)
    async with followed(restored, path) as found:
        await restored.until(lambda: len(restored.requests) == 1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found.seen) < 2:
                await found.watcher._changed.wait()
    assert names(found.seen[-1]) == (["other"], [])
    assert "went back from 2 to 1" in caplog.text


async def test_what_is_on_disk_is_in_force_while_config_is_down(
    config: FakeConfig, path: Path
) -> None:
    config.change(items(*OPERATIONS, Settings(time_zone="Europe/Berlin")))
    async with followed(config, path) as found:
        first = await found.revision(1)
    async with following(NOWHERE, path) as found:
        kept = await found.revision(1)
    assert kept == first
    assert found.seen == [kept]


async def test_config_may_be_seconds_later_than_its_watcher_without_a_warning(
    path: Path, heard: Heard
) -> None:
    clock = FakeClock()
    async with following(NOWHERE, path, clock=clock):
        await heard.until(lambda: heard.levels == [logging.DEBUG] * 2)
        clock.pass_time(timedelta(seconds=watcher_module.QUIET_SECONDS))
        await heard.until(lambda: logging.WARNING in heard.levels)
        tries = len(heard.levels)
        await heard.until(lambda: len(heard.levels) > tries + 1)
        assert heard.levels.count(logging.WARNING) == 1
        clock.pass_time(timedelta(seconds=watcher_module.REMINDER_SECONDS))
        await heard.until(lambda: heard.levels.count(logging.WARNING) == 2)


async def test_a_loss_is_told_at_once_and_so_is_its_end(
    config: FakeConfig, path: Path, heard: Heard
) -> None:
    async with followed(config, path) as found:
        await found.revision(0)
        config.cut()
        await heard.until(lambda: "the watch of the configuration goes on" in heard.texts)
    assert [text for text in heard.texts if "cannot" in text] == [
        "the configuration cannot be watched: cut on purpose"
    ]
    assert heard.levels.count(logging.WARNING) == 1


async def test_the_file_on_disk_is_for_its_owner_only(config: FakeConfig, path: Path) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, path) as found:
        await found.revision(1)
    assert mode_of(path) == 0o600
    assert beside(path) == [path]


@pytest.mark.parametrize("keep", [0, 1, 100])
async def test_a_torn_file_is_ignored_with_a_log_and_replaced(
    config: FakeConfig, path: Path, caplog: pytest.LogCaptureFixture, keep: int
) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, path) as found:
        first = await found.revision(1)
    tear(path, keep)
    caplog.clear()
    async with followed(config, path) as found:
        assert await found.revision(1) == first
    assert [each.revision for each in found.seen] == [1]
    assert f"the kept configuration {path}" in caplog.text
    assert kept_in(path).revision == 1


async def test_a_change_is_in_force_also_where_it_cannot_be_kept(
    config: FakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config.change(items(*OPERATIONS))
    async with followed(config, tmp_path / "no" / "such" / "directory") as found:
        await found.revision(1)
        config.change(items(webhook("pager")))
        await found.revision(2)
    assert caplog.text.count("cannot be kept") == 2


async def test_config_may_come_up_later(config: FakeConfig, path: Path) -> None:
    async with serving(fake_config()) as port:
        pass
    config.change(items(*OPERATIONS))
    async with following(f"127.0.0.1:{port}", path) as found:
        assert found.watcher.current is None
        async with serving(config, port):
            await found.revision(1)


async def test_sealed_secrets_come_only_when_asked_for(config: FakeConfig, path: Path) -> None:
    watched = pb.WatchedTarget(target=mail("ops-smtp"))
    watched.secrets.add(field="smtp.password", ciphertext=b"sealed")
    config.change([Item(target=watched)])
    async with followed(config, path, include_secrets=True) as found:
        snapshot = await found.revision(1)
    assert [each.include_secrets for each in config.requests] == [True]
    assert snapshot.sealed == {"uid-ops-smtp": {"smtp.password": b"sealed"}}


async def test_parts_of_a_later_release_do_not_stop_this_one(
    config: FakeConfig, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new_kind = target_pb2.Target(name="new-kind", uid="uid-new-kind")
    new_tls = mail("new-tls")
    new_tls.smtp.tls_mode = 99  # type: ignore[assignment]  # no release has it
    new_preset = webhook("new-preset")
    new_preset.webhook.url = "https://chat.example.com/hooks/t0k3n"
    new_preset.webhook.preset = 99  # type: ignore[assignment]  # no release has it
    new_scope = group("new-scope", {"chat-ops": "*"})
    new_scope.scope = 99  # type: ignore[assignment]  # no release has it
    new_scope.digest.frequency = 99  # type: ignore[assignment]  # no release has it
    new_scope.digest.weekday = 99  # type: ignore[assignment]  # no release has it
    config.change([*items(webhook("chat-ops"), new_kind, new_tls, new_preset, new_scope), Item()])
    with caplog.at_level(logging.ERROR):
        async with followed(config, path) as found:
            snapshot = await found.revision(1)
    assert names(snapshot) == (["chat-ops"], ["new-scope"])
    later = (new_kind, new_tls, new_preset)
    assert snapshot.unreadable == {each.uid: each.name for each in later}
    assert snapshot.groups[0].scope is Scope.EVERYTHING
    assert snapshot.groups[0].digest is not None
    assert snapshot.groups[0].digest.frequency is Frequency.DAILY
    assert "new-kind" in caplog.text
    assert "TLS mode" in caplog.text
    assert "new-preset" in caplog.text
    assert "t0k3n" not in caplog.text


async def test_whoever_waits_for_a_revision_waits_until_it_is_in_force(
    config: FakeConfig, path: Path
) -> None:
    async with followed(config, path) as found:
        await found.revision(0)
        waiting = [asyncio.create_task(found.revision(number)) for number in (1, 2, 2)]
        config.change(items(*OPERATIONS))
        assert (await waiting[0]).revision == 1
        assert not waiting[1].done()
        config.change(items(webhook("pager")))
        assert [(await each).revision for each in waiting[1:]] == [2, 2]
