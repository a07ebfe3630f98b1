"""Delivery says which keys it still needs, and seals anew itself what no watch brings again."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from tests.support import keys

from ibs_notify.delivery.held_keys import HeldKeys
from ibs_notify.delivery.metrics import gateway_groups
from ibs_notify.delivery.metrics.gateway_groups import GatewayGroup
from ibs_notify.delivery.transports.cache import SecretOpener
from ibs_notify.domain.target import PUSHGATEWAY_PASSWORD, PushgatewaySpec, Target
from ibs_notify.secrets.envelope import Keyring
from ibs_notify.secrets.key_file import Key
from ibs_notify.secrets.key_source import FileSource
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.database import Database
from ironcore.notification.v1.config_service_pb2 import ConfigSnapshot, WatchedTarget
from ironcore.notification.v1.target_pb2 import SealedSecret

pytestmark = pytest.mark.tables("delivery")

OLD, NEW = Key("k-1", bytes(32)), Key("k-2", bytes([2]) * 32)
SPEC = PushgatewaySpec("http://gateway.test", "ibs", username="ibs")


def sealed(key: Key) -> bytes:
    return Keyring((key,)).seal("s3cret", target_uid="t1", field=PUSHGATEWAY_PASSWORD)


async def note(database: Database, ciphertext: bytes) -> None:
    group = GatewayGroup(Target("gone", "t1", SPEC), SPEC, {PUSHGATEWAY_PASSWORD: ciphertext})
    await database.write(lambda c: gateway_groups.note(c, group))


@pytest.fixture
async def watcher(tmp_path: Path) -> ConfigWatcher:
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    return ConfigWatcher(channel, tmp_path / "snapshot.pb", include_secrets=True)


def held_keys(database: Database, watcher: ConfigWatcher, path: Path, *ring: Key) -> HeldKeys:
    file = FileSource(path)
    file.create(OLD)
    file.change(lambda _: ring)
    return HeldKeys(database, watcher, SecretOpener(keys.keys_of(path)))


async def test_the_group_of_a_target_that_is_gone_is_sealed_anew(
    database: Database, watcher: ConfigWatcher, tmp_path: Path
) -> None:
    await note(database, sealed(OLD))
    held = held_keys(database, watcher, tmp_path / "keys", NEW, OLD)
    assert await held.ids() == {"k-2"}
    (group,) = await database.read(gateway_groups.noted)
    ciphertext = group.sealed[PUSHGATEWAY_PASSWORD]
    assert Keyring((NEW,)).open(ciphertext, target_uid="t1", field=PUSHGATEWAY_PASSWORD) == "s3cret"


async def test_a_group_whose_key_is_missing_is_told_as_it_is(
    database: Database, watcher: ConfigWatcher, tmp_path: Path
) -> None:
    await note(database, sealed(OLD))
    held = held_keys(database, watcher, tmp_path / "keys", NEW)
    assert await held.ids() == {"k-1"}


async def test_the_configuration_in_force_and_the_one_on_disk_are_told(
    database: Database, watcher: ConfigWatcher, tmp_path: Path
) -> None:
    def snapshot(key: Key) -> ConfigSnapshot:
        secret = SealedSecret(field=PUSHGATEWAY_PASSWORD, ciphertext=sealed(key))
        return ConfigSnapshot(targets=[WatchedTarget(secrets=[secret])])

    held = held_keys(database, watcher, tmp_path / "keys", NEW, OLD)
    assert await held.ids() == set()
    watcher.kept, watcher.on_disk = snapshot(NEW), snapshot(OLD)
    assert await held.ids() == {"k-1", "k-2"}
