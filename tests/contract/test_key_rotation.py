"""Keys rotate while others write, on every database, and what a crash left is taken up."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.config import START, FakeClock, FakeDelivery, webhook_target

from ibs_notify.audit.journal import head_of
from ibs_notify.config import key_rotation
from ibs_notify.config.key_rotation import BATCH_TARGETS, KeyRotation, keyring_to_seal
from ibs_notify.config.ports import Place
from ibs_notify.config.repository import ConfigRepository
from ibs_notify.config.tables import AUDIT
from ibs_notify.domain.errors import FailedPrecondition, NotFound, Reason, Unavailable
from ibs_notify.secrets.envelope import Keyring, key_id_of
from ibs_notify.secrets.key_file import Key
from ibs_notify.secrets.key_source import EnvironmentSource, FileSource
from ibs_notify.secrets.keys import Keys
from ibs_notify.store.database import Database

pytestmark = pytest.mark.tables("config")

FIRST = Key("k-20260101T000000Z-1", bytes(32))
SECOND = Key("k-20260102T000000Z-2", bytes([2]) * 32)
FIELDS = ("webhook.headers.x-one", "webhook.token")


class Killed(BaseException):
    """Stands for a SIGKILL at a failpoint."""


@dataclass
class Rig:
    """A rotation over a file with one key, and what is around it."""

    repository: ConfigRepository
    file: FileSource
    clock: FakeClock = field(default_factory=FakeClock)
    delivery: FakeDelivery = field(default_factory=FakeDelivery)

    def __post_init__(self) -> None:
        self.rotation = self.restarted()

    def restarted(self) -> KeyRotation:
        """A new process."""
        self.rotation = KeyRotation(self.repository, self.delivery, Keys(self.file), self.clock)
        return self.rotation

    async def add_targets(self, count: int, key: Key = FIRST) -> None:
        """With two secrets each."""
        for number in range(count):
            target = webhook_target(f"hook-{number}")
            target.uid = f"uid-{number:03}"
            secrets = {
                each: Keyring((key,)).seal(f"{each} {number}", target_uid=target.uid, field=each)
                for each in FIELDS
            }
            await self.repository.change("alice", lambda c, t=target, s=secrets: c.put_target(t, s))  # type: ignore[misc]

    async def counts(self) -> Mapping[str, int]:
        return await self.repository.read(lambda view: view.key_counts())

    async def opened(self) -> int:
        """How many secrets there are; each opens with the keys of the file."""
        ring, opened = Keyring(self.file.read()), 0
        for target in await self.repository.read(lambda view: view.targets()):
            sealed = await self.repository.read(lambda view, t=target: view.sealed(t.uid))  # type: ignore[misc]
            for name, ciphertext in sealed.items():
                number = int(target.uid[-3:])
                text = ring.open(ciphertext, target_uid=target.uid, field=name)
                assert text == f"{name} {number}"
                opened += 1
        return opened


async def killed_at(rig: Rig, point: str, passes: int = 1) -> bool:
    """A rotation whose process dies when it comes by ``point`` for that time; whether it did."""
    left = passes

    def hit(name: str) -> None:
        nonlocal left
        left -= name == point
        if name == point and left == 0:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ibs_notify.domain.failpoints.hit", hit)
        try:
            await rig.rotation.rotate("alice", keep_newest=False)
        except Killed:
            rig.restarted()
            return True
    return False


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    file = FileSource(tmp_path / "secret.key")
    file.create(FIRST)
    return Rig(ConfigRepository(database, FakeClock(), lambda _revision: None), file)


async def test_a_rotation_makes_a_key_and_seals_everything_with_it(rig: Rig) -> None:
    await rig.add_targets(BATCH_TARGETS + 1)
    rotated = await rig.rotation.rotate("alice", keep_newest=False)
    newest, old = rig.file.read()
    assert rotated.key_id == newest.key_id
    assert newest.key_id.startswith(f"k-{START:%Y%m%dT%H%M%SZ}-")
    assert old == FIRST
    assert rotated.resealed == 2 * (BATCH_TARGETS + 1)
    assert rotated.warnings == ()
    assert rotated.revision == await rig.repository.revision()
    assert await rig.counts() == {newest.key_id: rotated.resealed}
    assert await rig.opened() == rotated.resealed


async def test_a_rotation_changes_nothing_of_the_targets_and_tells_who_watches(rig: Rig) -> None:
    await rig.add_targets(1)
    before = await rig.repository.read(lambda view: view.target("hook-0"))
    place = (await rig.repository.changes_since(None, include_secrets=True)).place
    rotated = await rig.rotation.rotate("bob", keep_newest=False)
    assert await rig.repository.read(lambda view: view.target("hook-0")) == before
    delta = await rig.repository.changes_since(place, include_secrets=True)
    assert delta.place == Place(place.log_id, rotated.revision)
    (watched,) = delta.targets
    assert watched.target == before
    assert {key_id_of(each.ciphertext) for each in watched.secrets} == {rotated.key_id}
    assert delta.settings is None


async def test_a_rotation_without_secrets_makes_a_key(rig: Rig) -> None:
    rotated = await rig.rotation.rotate("alice", keep_newest=False)
    assert rotated.resealed == 0
    assert [key.key_id for key in rig.file.read()] == [rotated.key_id, FIRST.key_id]


async def test_a_key_that_was_put_in_by_hand_is_used_and_kept(rig: Rig) -> None:
    await rig.add_targets(1)
    rig.file.change(lambda keys: (SECOND, *keys))
    rotated = await rig.rotation.rotate("alice", keep_newest=True)
    assert (rotated.key_id, rotated.resealed) == (SECOND.key_id, 2)
    assert rig.file.read() == (SECOND, FIRST)


async def test_a_second_rotation_that_keeps_the_newest_has_nothing_to_do(
    rig: Rig, database: Database
) -> None:
    await rig.add_targets(1)
    first = await rig.rotation.rotate("alice", keep_newest=False)
    before = await database.read(lambda connection: head_of(connection, AUDIT))
    second = await rig.rotation.rotate("alice", keep_newest=True)
    assert (second.key_id, second.resealed) == (first.key_id, 0)
    assert second.revision == first.revision
    assert await database.read(lambda connection: head_of(connection, AUDIT)) == before


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize(
    "point",
    ["keys.written", "config.key_put", "config.resealing", "config.resealed", "config.rotated"],
)
async def test_a_rotation_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    rig: Rig, point: str, passes: int
) -> None:
    await rig.add_targets(BATCH_TARGETS + 1)
    if await killed_at(rig, point, passes):
        await rig.rotation.resume()
        await rig.rotation.rotate("alice", keep_newest=True)
    else:
        assert passes == 2, f"nobody comes by {point}"
    total = 2 * (BATCH_TARGETS + 1)
    newest = rig.file.read()[0].key_id
    assert await rig.counts() == {newest: total}
    assert await rig.opened() == total


async def test_a_start_goes_on_with_a_rotation_that_has_begun(rig: Rig) -> None:
    await rig.add_targets(BATCH_TARGETS + 1)
    assert await killed_at(rig, "config.resealed")
    assert len(await rig.counts()) == 2
    await rig.rotation.resume()
    assert await rig.counts() == {rig.file.read()[0].key_id: 2 * (BATCH_TARGETS + 1)}


async def test_a_rotation_that_only_made_a_key_does_not_make_another(rig: Rig) -> None:
    await rig.add_targets(1)
    assert await killed_at(rig, "config.key_put")
    made = rig.file.read()
    await rig.rotation.resume()
    rotated = await rig.rotation.rotate("alice", keep_newest=False)
    assert (rotated.key_id, rotated.resealed) == (made[0].key_id, 2)
    assert rig.file.read() == made


async def test_a_start_leaves_a_key_that_waits_alone(rig: Rig) -> None:
    await rig.add_targets(1)
    rig.file.change(lambda keys: (SECOND, *keys))
    await rig.restarted().resume()
    assert await rig.counts() == {FIRST.key_id: 2}


async def test_a_variable_gets_no_new_key_and_says_so(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.add_targets(1)
    rig.file.change(lambda keys: (SECOND, *keys))
    monkeypatch.setenv("SOME_KEYS", (tmp_path / "secret.key").read_text())
    keys = Keys(EnvironmentSource("SOME_KEYS"))
    rotation = KeyRotation(rig.repository, rig.delivery, keys, rig.clock)
    rotated = await rotation.rotate("alice", keep_newest=False)
    assert (rotated.key_id, rotated.resealed) == (SECOND.key_id, 2)
    assert "no new key was made" in rotated.warnings[0]
    assert rotation.source == "environment"
    with pytest.raises(FailedPrecondition, match="cannot be changed from here"):
        await rotation.remove(FIRST.key_id, "alice")


async def test_keys_are_listed_with_what_they_seal(rig: Rig) -> None:
    await rig.add_targets(1)
    await rig.rotation.rotate("alice", keep_newest=False)
    newest, old = await rig.rotation.listed()
    assert (newest.is_newest, newest.secrets, newest.is_available) == (True, 2, True)
    assert (old.key_id, old.is_newest, old.secrets) == (FIRST.key_id, False, 0)
    assert rig.rotation.source == "file"


async def test_a_key_that_seals_secrets_and_is_missing_is_listed_as_such(rig: Rig) -> None:
    await rig.add_targets(1, key=SECOND)
    _, lost = await rig.rotation.listed()
    assert (lost.key_id, lost.secrets, lost.is_available) == (SECOND.key_id, 2, False)


async def test_an_unused_key_is_removed_from_the_file(rig: Rig) -> None:
    await rig.add_targets(1)
    rotated = await rig.rotation.rotate("alice", keep_newest=False)
    rig.delivery.held = frozenset({rotated.key_id})
    await rig.rotation.remove(FIRST.key_id, "alice")
    assert [key.key_id for key in rig.file.read()] == [rotated.key_id]
    assert await rig.opened() == 2


async def test_a_key_that_cannot_be_removed_is_not_said_to_be(
    rig: Rig, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.add_targets(1)
    await rig.rotation.rotate("alice", keep_newest=False)
    before = await database.read(lambda connection: head_of(connection, AUDIT))
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _disk_full)
        with pytest.raises(Unavailable, match="cannot be changed: No space left"):
            await rig.rotation.remove(FIRST.key_id, "bob")
    assert await database.read(lambda connection: head_of(connection, AUDIT)) == before
    assert FIRST in rig.file.read()
    await rig.rotation.remove(FIRST.key_id, "bob")
    assert FIRST not in rig.file.read()


def _disk_full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_key_in_use_is_not_removed(rig: Rig) -> None:
    await rig.add_targets(1)
    with pytest.raises(FailedPrecondition, match="is the newest") as newest:
        await rig.rotation.remove(FIRST.key_id, "alice")
    rig.file.change(lambda keys: (SECOND, *keys))
    with pytest.raises(FailedPrecondition, match="2 stored secrets are sealed") as sealing:
        await rig.rotation.remove(FIRST.key_id, "alice")
    await rig.rotation.rotate("alice", keep_newest=True)
    rig.delivery.held = frozenset({FIRST.key_id})
    with pytest.raises(FailedPrecondition, match="Delivery still keeps") as held:
        await rig.rotation.remove(FIRST.key_id, "alice")
    for caught in (newest, sealing, held):
        assert caught.value.reason is Reason.KEY_IN_USE
    assert rig.file.read() == (SECOND, FIRST)


async def test_a_key_is_not_removed_while_delivery_cannot_be_asked(rig: Rig) -> None:
    await rig.rotation.rotate("alice", keep_newest=False)
    rig.delivery.error = Unavailable(Reason.SERVICE_UNREACHABLE, "away")
    with pytest.raises(Unavailable, match="away"):
        await rig.rotation.remove(FIRST.key_id, "alice")
    assert len(rig.file.read()) == 2


async def test_a_key_that_there_is_not_is_not_found(rig: Rig) -> None:
    with pytest.raises(NotFound, match="k-none") as caught:
        await rig.rotation.remove("k-none", "alice")
    assert caught.value.reason is Reason.KEY_NOT_FOUND


async def test_an_old_copy_of_the_key_file_seals_nothing_and_says_what_it_lacks(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.add_targets(1, key=SECOND)
    keys = Keys(rig.file)
    lacking = rf"lacks the key {SECOND.key_id} \(2 stored secrets are sealed with it\)"
    with pytest.raises(Unavailable, match=lacking):
        await rig.repository.read(lambda view: keyring_to_seal(view, keys))
    with pytest.raises(Unavailable, match=lacking):
        await rig.rotation.rotate("alice", keep_newest=False)
    await rig.restarted().resume()
    assert SECOND.key_id in caplog.text
    rig.file.change(lambda before: (SECOND, *before))
    ring = await rig.repository.read(lambda view: keyring_to_seal(view, keys))
    assert ring.key_id == SECOND.key_id, "and a file that was replaced is seen at once"


async def test_where_an_old_key_is_lost_secrets_can_be_given_again(rig: Rig) -> None:
    await rig.add_targets(1)
    rig.file.change(lambda _: (SECOND,))
    keys = Keys(rig.file)
    ring = await rig.repository.read(lambda view: keyring_to_seal(view, keys))
    assert ring.key_id == SECOND.key_id
    rotated = await rig.rotation.rotate("alice", keep_newest=True)
    assert rotated.resealed == 0
    assert f"lacks the key {FIRST.key_id}" in rotated.warnings[0]


async def test_a_damaged_secret_holds_up_nobody_else(rig: Rig) -> None:
    await rig.add_targets(2)
    bad = Keyring((FIRST,)).seal("x", target_uid="elsewhere", field=FIELDS[0])
    await rig.repository.change("alice", lambda c: c.reseal("uid-000", {FIELDS[0]: bad}))
    rotated = await rig.rotation.rotate("alice", keep_newest=False)
    assert rotated.resealed == 3
    assert "uid-000" in rotated.warnings[0]


async def test_each_target_is_sealed_once_whatever_another_replica_does(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.add_targets(3)
    monkeypatch.setattr(key_rotation, "BATCH_TARGETS", 1)
    rig.file.change(lambda keys: (SECOND, *keys))
    other = Keyring((FIRST, SECOND))

    real = rig.repository.change
    busy = False

    async def meddling(author: str, work):  # type: ignore[no-untyped-def]
        nonlocal busy
        answer = await real(author, work)
        if not busy:
            busy = True
            sealed = await rig.repository.read(lambda view: view.sealed("uid-000"))
            back = {
                name: other.rewrap(each, target_uid="uid-000", field=name)
                for name, each in sealed.items()
            }
            await real("other", lambda c: c.reseal("uid-000", back))
            busy = False
        return answer

    monkeypatch.setattr(rig.repository, "change", meddling)
    rotated = await rig.rotation.rotate("alice", keep_newest=True)
    assert rotated.resealed == 6
