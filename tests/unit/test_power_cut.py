"""The replay of power cuts sees what a trace says, and cuts where a disk might."""

from __future__ import annotations

import random
import re

import pytest
from tests.system.disk import SECTOR, Disk, Fate, Name, Resize, Unname, Write
from tests.system.strace import calls
from tests.system.wire import Connection

CHANCE = random.Random(3)
FILE = 1


def hexed(text: str) -> str:
    return "".join(f"\\x{each:02x}" for each in text.encode())


def written(*pieces: bytes) -> Disk:
    """A file ``f`` whose name is safe and whose ``pieces``, one after the other, are not."""
    disk = Disk()
    disk.change(Name("f", FILE), 0)
    disk.sync(None, 1)
    offset = 0
    for moment, piece in enumerate(pieces, start=1):
        disk.change(Write(FILE, offset, piece), moment)
        offset += len(piece)
    return disk


def contents(disk: Disk, fate: Fate, tries: int = 200) -> set[bytes]:
    """All that may be in the file ``f`` after a cut."""
    return {disk.after_cut(fate, CHANCE)["f"] for _ in range(tries)}


def test_what_was_not_synced_is_lost() -> None:
    assert contents(written(b"a", b"b"), Fate.LOST) == {b""}


def test_a_sync_saves_what_was_written_before_it_began() -> None:
    disk = written(b"a", b"b", b"c")
    assert disk.sync(FILE, begun=3)
    assert contents(disk, Fate.LOST) == {b"ab"}
    assert disk.has_unsynced
    assert not disk.sync(FILE, begun=3)


def test_a_sync_of_another_file_saves_nothing() -> None:
    disk = written(b"a")
    assert not disk.sync(FILE + 1, begun=9)
    assert contents(disk, Fate.LOST) == {b""}


def test_the_first_few_writes_may_survive() -> None:
    assert contents(written(b"a", b"b"), Fate.FIRST_KEPT) == {b"", b"a", b"ab"}


def test_any_write_may_survive_without_those_before_it() -> None:
    assert contents(written(b"a", b"b"), Fate.ANY_KEPT) == {b"", b"a", b"\0b", b"ab"}


def test_a_write_is_torn_where_a_sector_ends() -> None:
    first, second = b"a" * (SECTOR - 1), b"b" * (2 * SECTOR)
    assert contents(written(first, second), Fate.TORN) == {
        first + b"b",
        first + b"b" * (SECTOR + 1),
    }


def test_a_write_within_a_sector_is_never_torn() -> None:
    assert contents(written(b"a", b"b"), Fate.TORN) == {b"", b"a", b"ab"}


def test_a_name_is_safe_only_after_a_sync_of_the_directory() -> None:
    disk = Disk()
    disk.change(Name("f", FILE), 0)
    disk.change(Write(FILE, 0, b"a"), 1)
    disk.sync(FILE, begun=2)
    assert disk.after_cut(Fate.LOST, CHANCE) == {}
    disk.sync(None, begun=3)
    assert disk.after_cut(Fate.LOST, CHANCE) == {"f": b"a"}
    disk.change(Unname("f"), 4)
    assert disk.after_cut(Fate.LOST, CHANCE) == {"f": b"a"}
    disk.sync(None, begun=5)
    assert disk.after_cut(Fate.LOST, CHANCE) == {}


def test_a_file_is_shortened_and_written_over() -> None:
    disk = written(b"abcdef")
    disk.change(Resize(FILE, 3), 2)
    disk.change(Write(FILE, 1, b"X"), 3)
    disk.sync(FILE, begun=4)
    assert contents(disk, Fate.LOST) == {b"aXc"}


def test_a_trace_gives_paths_bytes_and_results() -> None:
    path = hexed("/home/router.db")
    (call,) = calls([f'7  pwrite64(3<{path}>, "{hexed("ab")}", 2, 4096) = 2\n'])
    assert (call.name, call.descriptor, call.texts()) == ("pwrite64", "/home/router.db", [b"ab"])
    assert (call.last, call.result) == (4096, 2)


def test_a_call_that_was_interrupted_has_the_lines_of_both_ends() -> None:
    (other, call) = calls(
        [
            "7  fdatasync(3</x> <unfinished ...>\n",
            "8  fsync(4<\\x61>) = -1 EIO (Input/output error)\n",
            "7  <... fdatasync resumed>) = 0\n",
            "7  +++ exited with 0 +++\n",
        ]
    )
    assert (call.name, call.begun, call.ended, call.result) == ("fdatasync", 0, 2, 0)
    assert (other.descriptor, other.result) == ("a", -1)


def test_an_end_of_a_connection_is_named() -> None:
    (call,) = calls(["7  sendmsg(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, {msg_name=NULL}, 0) = 8\n"])
    assert call.descriptor == "TCP:[127.0.0.1:1->127.0.0.1:2]"


def test_a_text_that_strace_cut_short_is_refused() -> None:
    (call,) = calls([f'7  pwrite64(3<\\x61>, "{hexed("ab")}"..., 9, 0) = 9\n'])
    with pytest.raises(ValueError, match="cut a string short"):
        call.texts()


def frame(kind: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, 0]) + stream.to_bytes(4) + content


def test_a_request_is_answered_when_content_leaves_on_its_stream() -> None:
    connection = Connection(re.compile(rb"e-\d"))
    connection.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, b"settings"))
    first, second = frame(0, 1, b"...e-1 e-2"), frame(0, 3, b"e-3")
    connection.receive(first[:15])
    connection.receive(first[15:] + second)
    assert connection.send(frame(1, 1, b"headers")) == frozenset()
    assert connection.send(frame(0, 3, b"ok")) == {"e-3"}
    assert connection.send(frame(0, 1, b"ok")) == {"e-1", "e-2"}


def test_an_answer_without_content_acknowledges_nothing() -> None:
    connection = Connection(re.compile(rb"e-\d"))
    connection.receive(frame(0, 1, b"e-1"))
    assert connection.send(frame(1, 1, b"an error")) == frozenset()
