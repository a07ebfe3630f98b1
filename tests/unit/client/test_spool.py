"""The spool: what is in it survives, in order, and nothing of it disappears unseen."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibs_notify.client import spool as spool_module
from ibs_notify.client.buffer import Entry
from ibs_notify.client.segment import OVERHEAD
from ibs_notify.client.spool import LEAST_BYTES, Spool
from ibs_notify.domain.errors import FailedPrecondition, Reason, ResourceExhausted, Unavailable
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MANY = 1_000_000
BYTES = 2 * 1024 * 1024


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here cuts the power, and a disk may be slow."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


def record(name: str, size: int = 0) -> bytes:
    event = event_pb2.Event(event_id=name, type="a.b", summary="x" * size)
    return pb.EmitBatchRequest(events=[event]).SerializeToString()


def put(spool: Spool, *records: bytes) -> None:
    for each in records:
        spool.sync(spool.append(each, 0.0))


def drained(spool: Spool, most: int = MANY) -> list[bytes]:
    """Everything in it, acknowledged batch by batch."""
    found: list[bytes] = []
    while entries := spool.peek(most, BYTES):
        found += [each.record for each in entries]
        spool.advance(entries[-1].mark)
    return found


def names(entries: Sequence[Entry]) -> list[str]:
    return [pb.EmitBatchRequest.FromString(each.record).events[0].event_id for each in entries]


def files(directory: Path, suffix: str = ".events") -> list[Path]:
    return sorted(directory.rglob(f"*{suffix}"))


def test_events_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    records = [record(f"e{n}") for n in range(500)]
    put(spool, *records)
    assert drained(spool, most=7) == records
    assert spool.peek(MANY, BYTES) == []
    assert spool.head == spool.tail
    spool.close()


def test_what_was_not_acknowledged_is_there_after_a_restart_and_only_that(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, *(record(f"e{n}") for n in range(10)))
    spool.advance(spool.peek(4, BYTES)[-1].mark)
    spool.close()

    again = Spool(tmp_path)
    put(again, record("e10"))
    assert names(again.peek(MANY, BYTES)) == [f"e{n}" for n in range(4, 10)]
    assert len(drained(again)) == 7
    again.close()

    last = Spool(tmp_path)
    assert last.peek(MANY, BYTES) == []
    assert last.head >= last.tail
    assert files(tmp_path) == []
    last.close()


def test_an_event_that_was_not_synced_is_not_sent(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    mark = spool.append(record("e1"), 0.0)
    assert spool.peek(MANY, BYTES) == []
    spool.sync(mark)
    assert names(spool.peek(MANY, BYTES)) == ["e1"]
    spool.close()


def test_one_sync_serves_all_who_appended_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    spool = Spool(tmp_path)
    marks = [spool.append(record(f"e{n}"), 0.0) for n in range(20)]
    syncs.clear()
    for mark in reversed(marks):
        spool.sync(mark)
    assert len(syncs) == 1
    spool.close()


def test_many_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    threads = [
        Thread(target=put, args=(spool, *(record(f"{n}-{i}", 5000) for i in range(100))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    found: list[Entry] = []
    while any(thread.is_alive() for thread in threads) or spool.head < spool.tail:
        if entries := spool.peek(50, BYTES):
            found += entries
            spool.advance(entries[-1].mark)
    assert sorted(names(found)) == sorted(f"{n}-{i}" for n in range(8) for i in range(100))
    for n in range(8):
        of_one = [each for each in names(found) if each.startswith(f"{n}-")]
        assert of_one == [f"{n}-{i}" for i in range(100)]
    spool.close()


def test_a_full_spool_refuses_and_drops_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LEAST_BYTES)
    kept: list[str] = []

    def fill() -> None:
        while True:
            put(spool, record(f"e{len(kept)}", 30_000))
            kept.append(f"e{len(kept)}")

    with pytest.raises(ResourceExhausted, match="no room") as caught:
        fill()
    assert caught.value.reason is Reason.STORAGE_FULL
    size = sum(path.stat().st_size for path in files(tmp_path))
    assert LEAST_BYTES - 31_000 < size <= LEAST_BYTES

    half = spool.peek(len(kept) // 2, LEAST_BYTES)
    spool.advance(half[-1].mark)
    rest = []
    while entries := spool.peek(MANY, LEAST_BYTES):
        rest += entries
        spool.advance(entries[-1].mark)
    assert names(half) + names(rest) == kept
    put(spool, record("again", 30_000))
    spool.close()


def test_files_go_when_all_of_them_is_acknowledged(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LEAST_BYTES)
    put(spool, *(record(f"e{n}", 30_000) for n in range(100)))
    assert len(files(tmp_path)) > 3
    drained(spool)
    assert len(files(tmp_path)) == 1
    spool.close()


def test_a_spool_belongs_to_one_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(FailedPrecondition, match="another process uses the spool"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_a_spool_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be used"):
        Spool(tmp_path / "file")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    put(spool, record("e1"))
    spool.close()
    spooled = tmp_path / "spool"
    paths = [spooled, *files(tmp_path), spooled / "position", spooled / "aside"]
    assert [path.stat().st_mode & 0o077 for path in paths] == [0, 0, 0, 0]


# What a crash and a disk may do


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool of three events, the first of them acknowledged."""
    directory = tmp_path_factory.mktemp("written")
    spool = Spool(directory)
    put(spool, record("e1"), record("e2"), record("e3"))
    spool.advance(spool.peek(1, BYTES)[-1].mark)
    spool.close()
    return directory


LENGTH = OVERHEAD + len(record("e1"))


@pytest.mark.parametrize("cut", range(3 * LENGTH + 1))
def test_after_a_crash_at_any_byte_the_whole_events_are_there(
    written: Path, tmp_path: Path, cut: int
) -> None:
    directory = tmp_path / "spool"
    shutil.copytree(written, directory)
    (path,) = files(directory)
    os.truncate(path, cut)

    spool = Spool(directory)
    put(spool, record("e4"))
    found = drained(spool)
    spool.close()

    whole = [record(f"e{n}") for n in (2, 3) if cut >= n * LENGTH]
    assert found == [*whole, record("e4")]
    torn = b"".join(each.read_bytes() for each in files(directory, ".damaged"))
    assert len(torn) == (cut % LENGTH if cut > LENGTH else 0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(LENGTH, 3 * LENGTH - 1), change=st.integers(1, 255))
def test_a_damaged_event_is_kept_aside_and_holds_up_no_other(
    written: Path, tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    directory = tmp_path_factory.mktemp("damaged") / "spool"
    shutil.copytree(written, directory)
    (path,) = files(directory)
    data = bytearray(path.read_bytes())
    data[at] ^= change
    path.write_bytes(data)

    spool = Spool(directory)
    put(spool, record("e4"))
    found = drained(spool)
    spool.close()

    hit = 2 if at < 2 * LENGTH else 3
    assert found == [record(f"e{n}") for n in (2, 3, 4) if n != hit]
    (aside,) = files(directory, ".damaged")
    assert aside.read_bytes() == data[(hit - 1) * LENGTH : hit * LENGTH]
    shutil.rmtree(directory)


def test_zeros_that_a_power_cut_left_are_nothing(written: Path, tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    shutil.copytree(written, directory)
    (path,) = files(directory)
    with path.open("ab") as file:
        file.write(bytes(4096))
    spool = Spool(directory)
    assert drained(spool) == [record("e2"), record("e3")]
    spool.close()
    assert files(directory, ".damaged") == []


def test_a_lost_position_sends_everything_again(written: Path, tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    shutil.copytree(written, directory)
    (directory / "position").unlink()
    spool = Spool(directory)
    assert drained(spool) == [record("e1"), record("e2"), record("e3")]
    spool.close()


def test_a_killed_process_leaves_what_emit_returned_for(tmp_path: Path) -> None:
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from ibs_notify.client.spool import Spool
        from ironcore.notification.v1 import event_pb2, router_service_pb2 as pb
        spool = Spool(Path(sys.argv[1]))
        for n in range(50):
            event = event_pb2.Event(event_id=f"e{n}", type="a.b")
            record = pb.EmitBatchRequest(events=[event]).SerializeToString()
            spool.sync(spool.append(record, 0.0))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -9
    spool = Spool(tmp_path)
    assert names(spool.peek(MANY, BYTES)) == [f"e{n}" for n in range(50)]
    spool.close()


def test_a_full_disk_refuses_the_event_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    put(spool, record("e1"))
    real = os.pwrite

    def half(file: int, data: bytes, offset: int) -> int:
        if len(data) < OVERHEAD + len(record("lost")):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data[:5], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(ResourceExhausted, match="disk of the spool") as caught:
        spool.append(record("lost"), 0.0)
    assert caught.value.reason is Reason.STORAGE_FULL
    monkeypatch.setattr(os, "pwrite", real)
    put(spool, record("e2"))
    assert drained(spool) == [record("e1"), record("e2")]
    spool.close()


def test_after_a_failed_sync_nothing_is_promised_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    put(spool, record("e1"))

    def fail(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        mark = spool.append(record("e2"), 0.0)
        with pytest.raises(Unavailable, match="Input/output error") as caught:
            spool.sync(mark)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    # The disk forgot that it failed; we do not.
    with pytest.raises(Unavailable):
        spool.sync(mark)
    with pytest.raises(Unavailable):
        spool.append(record("e3"), 0.0)
    assert names(spool.peek(MANY, BYTES)) == ["e1"]
    spool.close()


def test_a_refused_event_is_kept_as_what_emit_file_takes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path)
    put(spool, record("e1"))
    spool.set_aside(spool.peek(1, BYTES)[0], "event e1 was refused: type: is missing")
    spool.close()
    (path,) = files(tmp_path, ".json")
    assert json.loads(path.read_text()) == {"event_id": "e1", "type": "a.b"}
    assert f"event e1 was refused: type: is missing; kept as {path}" in caplog.text


def test_what_is_kept_aside_has_a_bound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MOST_ASIDE", 1)
    spool = Spool(tmp_path)
    put(spool, record("e1"), record("e2"))
    for entry in spool.peek(2, BYTES):
        spool.set_aside(entry, "refused")
    spool.close()
    assert len(files(tmp_path, ".json")) == 1
    assert "is full, so it is not kept" in caplog.text
