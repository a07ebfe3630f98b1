"""What happens when a part is down, a disk is full, a database is locked or a write fails."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from ibs_notify.domain.errors import (
    NotificationError,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import event_pb2, router_service_pb2
from tests.system.checker import read_receipts
from tests.system.installation import (
    CALL_SECONDS,
    Installation,
    running_installation,
    until,
)
from tests.system.sinks import Sink, running_sink

pytestmark = [pytest.mark.system, pytest.mark.slow]

DRAIN_SECONDS = 20.0
FILLING = "x" * 20_000
ANY_PORT = "127.0.0.1:0"


def emit(installation: Installation, event_id: str, summary: str = "") -> None:
    """Emit once; a ``NotificationError`` is the answer where it is refused."""
    event = event_pb2.Event(event_id=event_id, type="backup.failed", summary=summary)
    request = router_service_pb2.EmitRequest(event=event)
    try:
        installation.router.Emit(request, timeout=CALL_SECONDS, wait_for_ready=True)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


def emit_until_refused(installation: Installation, most: int = 5000) -> tuple[list[str], Exception]:
    """Emit large events; the ids that were acknowledged, and the first refusal."""
    acked: list[str] = []
    for number in range(most):
        try:
            emit(installation, f"large-{number}", FILLING)
        except NotificationError as error:
            return acked, error
        acked.append(f"large-{number}")
    raise AssertionError(f"{most} events were taken")


def emit_when_possible(installation: Installation, event_id: str) -> None:
    """Repeat the same event until it is taken."""

    def taken() -> bool:
        try:
            emit(installation, event_id)
        except (Unavailable, ResourceExhausted):
            return False
        return True

    until(taken, "an event is taken again")


def inbox_ids(installation: Installation) -> set[str]:
    return {record.event.event_id for record in installation.inbox()}


def arrived(sink: Sink) -> set[str]:
    return {receipt.event_id for receipt in read_receipts(sink.log)}


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with running_sink("webhook", "chat", tmp_path) as sink:
        yield sink


def tell(installation: Installation, sink: Sink) -> None:
    """Let every event go to ``sink``."""
    installation.create_webhook(sink.name, f"http://127.0.0.1:{sink.port}/")
    installation.create_group("ops", {sink.name: "*"})


@pytest.fixture
def installation(tmp_path: Path, sink: Sink) -> Iterator[Installation]:
    """An installation that tells the sink of every event."""
    with running_installation(tmp_path / "home") as installation:
        tell(installation, sink)
        yield installation


def assert_all_arrive(installation: Installation, sink: Sink, ids: Sequence[str]) -> None:
    installation.drain(DRAIN_SECONDS)
    assert set(ids) <= arrived(sink)
    assert installation.ledger().balanced


def test_while_delivery_is_down_events_are_taken_and_told_later(
    installation: Installation, sink: Sink
) -> None:
    installation.kill("delivery")
    ids = [f"e{number}" for number in range(50)]
    for each in ids:
        emit(installation, each)
    assert not arrived(sink)
    installation.start_and_wait("delivery")
    assert_all_arrive(installation, sink, ids)


def test_router_and_delivery_start_and_work_while_config_is_down(
    installation: Installation, sink: Sink
) -> None:
    installation.stop("config", "router", "delivery")
    installation.start_and_wait("router", "delivery")
    emit(installation, "without-config")
    assert_all_arrive(installation, sink, ["without-config"])


def test_services_that_start_before_config_wait_for_it(tmp_path: Path, sink: Sink) -> None:
    with Installation(tmp_path / "home") as installation:
        installation.start("router", "delivery")
        with pytest.raises(TimeoutError):
            installation.wait_until_serving("router", seconds=3)
        with pytest.raises(Unavailable) as refusal:
            emit(installation, "too-early")
        assert refusal.value.reason is Reason.NOT_READY
        installation.start("config")
        for name in installation.services:
            installation.wait_until_serving(name)
        tell(installation, sink)
        emit(installation, "in-time")
        assert_all_arrive(installation, sink, ["in-time"])
        assert "too-early" not in inbox_ids(installation)


def test_a_locked_database_is_unavailable_and_recovers(
    installation: Installation, sink: Sink
) -> None:
    emit(installation, "before")
    installation.drain(DRAIN_SECONDS)
    with closing(sqlite3.connect(installation.home / "router.db", timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as refusal:
            emit(installation, "during")
        assert refusal.value.reason is Reason.STORAGE_UNAVAILABLE
        assert refusal.value.retry_after.total_seconds() > 0
        other.rollback()
    emit(installation, "after")
    assert_all_arrive(installation, sink, ["before", "after"])
    assert "during" not in inbox_ids(installation)


def test_a_failed_write_stops_the_service_and_a_restart_has_everything(
    installation: Installation, sink: Sink
) -> None:
    emit(installation, "before")
    router = installation.services["router"].process
    assert router is not None
    # Beyond this size every write fails, as on a broken disk; SQLite calls it an I/O error.
    size = (installation.home / "router.db-wal").stat().st_size
    resource.prlimit(router.pid, resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
    acked, refusal = emit_until_refused(installation)
    assert isinstance(refusal, Unavailable)
    assert installation.wait_for_exit("router", seconds=10) == 1
    installation.start_and_wait("router")
    assert {"before", *acked} <= inbox_ids(installation)
    emit(installation, "after")
    assert_all_arrive(installation, sink, ["before", *acked, "after"])


def test_a_second_process_of_a_service_is_refused(installation: Installation) -> None:
    for service in SERVICES:
        assert_refused(start_beside(installation, service))


def test_a_second_process_on_another_port_but_the_same_files_is_refused(
    installation: Installation,
) -> None:
    # Two on one SQLite file would not know of each other's releases and leases.
    for service in SERVICES:
        address = {f"IBS_NOTIFY_{service.upper()}_ADDRESS": ANY_PORT}
        assert_refused(start_beside(installation, service, **address))


def assert_refused(second: subprocess.CompletedProcess[str]) -> None:
    """It left with a sentence, not with a traceback."""
    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert re.search(r"^error: .*(in use|uses)", second.stderr, re.MULTILINE), second.stderr


def start_beside(
    installation: Installation, service: ServiceName, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Start a service once more and wait until it gives up."""
    return subprocess.run(
        installation.command(service),
        cwd=installation.home,
        env=installation.environment | changes,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[Callable[[int], None]]:
    """A tmpfs of this size at ``directory``; yields a function that sets another size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory)], check=True
    )

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}m", str(directory)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.mark.peer
def test_below_the_floor_of_free_space_events_are_refused_and_later_taken(
    tmp_path: Path, sink: Sink
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 96), running_installation(disk / "home") as installation:
        tell(installation, sink)
        emit(installation, "before")
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(60 << 20))
        until(lambda: refused_for_space(installation), "an event is refused")
        with pytest.raises(ResourceExhausted) as refusal:
            emit(installation, "refused")
        assert refusal.value.reason is Reason.STORAGE_FULL
        assert refusal.value.retry_after.total_seconds() > 0
        ballast.unlink()
        emit_when_possible(installation, "after")
        assert_all_arrive(installation, sink, ["before", "after"])
        assert "refused" not in inbox_ids(installation)


def refused_for_space(installation: Installation) -> bool:
    """Whether a new event is refused for lack of space."""
    try:
        emit(installation, "probe")
    except ResourceExhausted:
        return True
    return False


NO_FLOOR = {"IBS_NOTIFY_MIN_FREE_MIB": "0"}


@pytest.mark.peer
def test_a_full_disk_under_the_router_loses_nothing_that_was_acknowledged(
    tmp_path: Path, sink: Sink
) -> None:
    disk = tmp_path / "disk"
    url = f"sqlite:///{disk / 'router.db'}"
    with (
        small_disk(disk, 4) as resize,
        running_installation(tmp_path / "home", {"router": url}, NO_FLOOR) as installation,
    ):
        tell(installation, sink)
        acked, refusal = emit_until_refused(installation)
        assert isinstance(refusal, ResourceExhausted)
        assert refusal.reason is Reason.STORAGE_FULL
        assert refusal.retry_after.total_seconds() > 0
        assert set(acked) <= inbox_ids(installation)
        resize(64)
        emit_when_possible(installation, "after")
        assert_all_arrive(installation, sink, [*acked, "after"])


@pytest.mark.peer
def test_a_full_disk_under_delivery_keeps_everything_in_the_router(
    tmp_path: Path, sink: Sink
) -> None:
    disk = tmp_path / "disk"
    url = f"sqlite:///{disk / 'delivery.db'}"
    with (
        small_disk(disk, 2) as resize,
        running_installation(tmp_path / "home", {"delivery": url}, NO_FLOOR) as installation,
    ):
        tell(installation, sink)
        ids = [f"e{number}" for number in range(150)]
        for each in ids:
            emit(installation, each, FILLING)
        until(lambda: "disk" in installation.services["router"].tail(), "the Router is refused")
        resize(64)
        assert_all_arrive(installation, sink, ids)
