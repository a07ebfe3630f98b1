"""Keys rotate under load, and Config is killed meanwhile: no delivery fails for its credentials."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from ibs_notify.secrets.envelope import key_id_of
from ibs_notify.secrets.key_file import Key
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_pb2, event_pb2, router_service_pb2, target_pb2
from tests.system.guarded_sinks import HEADER, USER, GuardedSinks
from tests.system.installation import CALL_SECONDS, OPEN, Installation, running_installation, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

HOOKS = 30
"""More than a batch of a rotation holds."""
EVENTS_A_SECOND = 20
FAILPOINTS = (
    "keys.written",
    "config.key_put",
    "config.resealing",
    "config.resealed",
    "config.rotated",
)
RANDOM_KILLS = 6
DRAIN_SECONDS = 60.0
UNREADABLE = "SECRET_UNREADABLE"
"""Delivery logs each target that waits for this, however short."""


@dataclass(slots=True)
class Rig:
    """An installation under load whose targets all need their credentials."""

    installation: Installation
    sinks: GuardedSinks
    emitted: list[str] = field(default_factory=list)
    rotations: int = 0
    killed: int = 0

    @contextmanager
    def load(self) -> Iterator[None]:
        """Events come for the block."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self._emit_until, stop)
            try:
                yield
            finally:
                stop.set()
                work.result(CALL_SECONDS)

    def _emit_until(self, stop: threading.Event) -> None:
        while not stop.wait(1 / EVENTS_A_SECOND):
            self.emit()

    def emit(self) -> None:
        event = event_pb2.Event(
            event_id=f"evt-{len(self.emitted)}", type="backup.failed", subject="x"
        )
        self.installation.router.Emit(
            router_service_pb2.EmitRequest(event=event), timeout=CALL_SECONDS
        )
        self.emitted.append(event.event_id)

    def rotate(self, *, keep_newest: bool = False) -> pb.RotateKeysResponse:
        request = pb.RotateKeysRequest(keep_newest=keep_newest)
        answer = self.installation.config.RotateKeys(request, timeout=CALL_SECONDS)
        self.rotations += 1
        return answer

    def rotate_and_be_killed(self, failpoint: str = "", after: float | None = None) -> None:
        """Config dies in a rotation, at a point or after so many seconds; then it starts again."""
        installation = self.installation
        if failpoint:
            installation.stop("config")
            installation.start("config", failpoint=failpoint)
            installation.wait_until_serving("config")
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.rotate)
            if after is not None:
                time.sleep(after)  # not a wait: the moment of the kill is what varies
                installation.services["config"].process.kill()  # type: ignore[union-attr]
            installation.wait_for_death("config")
            call.exception(CALL_SECONDS)
        self.killed += 1
        installation.start_and_wait("config")

    def listed(self) -> list[pb.Key]:
        return list(self.installation.config.ListKeys(pb.ListKeysRequest()).keys)

    def remove(self, key_id: str) -> grpc.StatusCode:
        """Remove a key; how that went."""
        try:
            request = pb.RemoveKeyRequest(key_id=key_id)
            self.installation.config.RemoveKey(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def assert_all_sealed_with_the_newest(self) -> None:
        newest, *others = self.listed()
        assert newest.newest
        assert newest.secret_count == HOOKS + 1
        assert [each.secret_count for each in others] == [0] * len(others)

    def assert_everything_is_delivered(self) -> None:
        self.installation.drain(DRAIN_SECONDS)
        states = {each.state for each in self.installation.deliveries()}
        assert states == {delivery_pb2.DELIVERY_STATE_DELIVERED}
        assert self.sinks.refused == []
        assert UNREADABLE not in self.installation.services["delivery"].log.read_text()
        told = {event for event, _ in self.sinks.accepted}
        assert told == set(self.emitted)
        assert len(self.sinks.accepted) == len(self.emitted) * (HOOKS + 1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    sinks = GuardedSinks({f"hook-{each}": f"key-{each}" for each in range(HOOKS)}, "correct horse")
    with sinks.running(), Installation(tmp_path / "home") as installation:
        installation.start_and_wait()
        rules = {"mail": "*"}
        for path, key in sinks.api_keys.items():
            rules[path] = "*"
            webhook = target_pb2.WebhookTarget(
                url=f"http://127.0.0.1:{sinks.http_port}/{path}",
                headers=[target_pb2.Header(name=HEADER, value=key)],
            )
            installation.create_target(target_pb2.Target(name=path, webhook=webhook))
        smtp = target_pb2.SmtpTarget(
            server="127.0.0.1",
            port=sinks.mail_port,
            from_address="ibs@example.com",
            username=USER,
            password=sinks.password,
            recipients=["ops@example.com"],
            ca_pem=sinks.ca.pem,
        )
        installation.create_target(target_pb2.Target(name="mail", smtp=smtp))
        installation.create_group("everybody", rules)
        yield Rig(installation, sinks)


def test_no_delivery_fails_while_keys_rotate_and_config_is_killed(rig: Rig) -> None:
    installation, chance = rig.installation, random.Random(7)
    with rig.load():
        first = rig.rotate()
        assert first.resealed_count == HOOKS + 1
        for point in FAILPOINTS:
            rig.rotate_and_be_killed(failpoint=point)
            # Delivery opens everything anew, whatever the kill left half done.
            installation.kill("delivery")
            installation.start_and_wait("delivery")
            rig.rotate(keep_newest=True)
            rig.assert_all_sealed_with_the_newest()
        for _ in range(RANDOM_KILLS):
            rig.rotate_and_be_killed(after=chance.uniform(0, 0.05))
        last = rig.rotate()
        installation.await_config(last.revision)
        rig.assert_all_sealed_with_the_newest()
        old = [each.key_id for each in rig.listed() if not each.newest]
        for key_id in old:
            assert rig.remove(key_id) is grpc.StatusCode.OK
        assert [each.key_id for each in rig.listed()] == [last.key_id]
    rig.assert_everything_is_delivered()
    print(
        f"{rig.rotations} rotations, Config killed {rig.killed} times, {len(old)} old keys removed,"
        f" {len(rig.sinks.accepted)} deliveries, {len(rig.sinks.refused)} with a wrong credential"
    )


def test_after_a_removal_delivery_starts_from_its_snapshot_without_config(rig: Rig) -> None:
    installation = rig.installation
    (old,) = rig.listed()
    answer = rig.rotate()
    assert rig.remove(old.key_id) is grpc.StatusCode.OK
    kept = pb.ConfigSnapshot.FromString((installation.home / "delivery-snapshot.pb").read_bytes())
    sealing = {key_id_of(each.ciphertext) for target in kept.targets for each in target.secrets}
    assert sealing == {answer.key_id}
    assert old.key_id not in (installation.home / "secret.key").read_text()
    installation.kill("config", "delivery")
    installation.start_and_wait("delivery")
    rig.emit()
    until(lambda: len(rig.sinks.accepted) == HOOKS + 1, "everybody is told", DRAIN_SECONDS)
    assert rig.sinks.refused == []


def test_a_key_that_delivery_has_not_let_go_of_is_kept(rig: Rig) -> None:
    installation = rig.installation
    (old,) = rig.listed()
    installation.kill("delivery")
    rig.rotate()
    assert rig.remove(old.key_id) is grpc.StatusCode.UNAVAILABLE
    assert old.key_id in (installation.home / "secret.key").read_text()
    installation.start_and_wait("delivery")
    removed = grpc.StatusCode.OK
    until(lambda: rig.remove(old.key_id) is removed, "Config finds Delivery again")
    assert not list(installation.deliveries(OPEN))


def test_keys_in_a_variable_serve_config_and_delivery(tmp_path: Path) -> None:
    key = Key.generate(datetime.now(UTC))
    content = f"ibs-notify-keys v1\n{key.key_id} {base64.b64encode(key.material).decode()}\n"
    variables = {
        "IBS_NOTIFY_KEY_FILE": "env:SOME_KEYS",
        "SOME_KEYS": base64.b64encode(content.encode()).decode(),
    }
    sinks = GuardedSinks({"hook": "key"}, "")
    with sinks.running(), running_installation(tmp_path / "home", extra=variables) as installation:
        webhook = target_pb2.WebhookTarget(
            url=f"http://127.0.0.1:{sinks.http_port}/hook",
            headers=[target_pb2.Header(name=HEADER, value="key")],
        )
        installation.create_target(target_pb2.Target(name="hook", webhook=webhook))
        installation.create_group("everybody", {"hook": "*"})
        rig = Rig(installation, sinks)
        rig.emit()
        until(lambda: len(sinks.accepted) == 1, "the secret is opened", DRAIN_SECONDS)
        answer = rig.rotate()
        assert (answer.key_id, answer.resealed_count) == (key.key_id, 0)
        assert "no new key was made" in answer.warnings[0]
        assert not (installation.home / "secret.key").exists()
