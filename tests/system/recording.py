"""What a service did to its database, and when its answers left: a run below strace as steps."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ibs_notify.settings import ServiceName
from tests.system import strace
from tests.system.disk import Change, Name, Resize, Unname, Write
from tests.system.installation import STOP_SECONDS, Installation, until
from tests.system.wire import Connection

_LOCAL_PORT = re.compile(r"TCP\S*:\[.*?:(\d+)->")
DATABASE = 1
"""The number of the database itself: it is the first of its files that is made."""
_TAKE_PATHS = frozenset(
    (
        *("open", "openat", "creat", "unlink", "unlinkat", "link", "linkat", "truncate"),
        *("rename", "renameat", "renameat2"),
    )
)
_TAIL_BYTES = 4096
_CARELESS = Path(__file__).with_name("careless_service.py")


@dataclass(frozen=True, slots=True)
class Changed:
    """The kernel took a change; ``ended`` is the line of the trace."""

    change: Change
    ended: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync of a file, of the directory for ``None``, that began at line ``begun``, returned."""

    file: int | None
    begun: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to the requests that name these has left."""

    names: frozenset[str]


Step = Changed | Synced | Answered


class Recorded(Installation):
    """An installation of which some services run below strace, ``careless`` ones if so wished."""

    def __init__(self, home: Path, names: Sequence[ServiceName], *, careless: bool = False) -> None:
        super().__init__(home)
        self._careless = careless
        self._traces = {name: home.parent / f"{name}.strace" for name in names}

    def command(self, name: ServiceName) -> list[str]:
        if name not in self._traces:
            return super().command(name)
        command = super().command(name)
        if self._careless:
            command = [sys.executable, str(_CARELESS), f"ibs_notify.{name}"]
        return [*strace.command(self._traces[name]), *command]

    def stop(self, *names: ServiceName) -> None:
        """Stop, and wait until the trace is whole."""
        super().stop(*names)
        for name in names:
            if name in self._traces:
                until(lambda name=name: self._is_whole(name), "the trace ends", STOP_SECONDS)  # type: ignore[misc]

    def _is_whole(self, name: ServiceName) -> bool:
        process = self.services[name].process
        assert process is not None
        with self._traces[name].open("rb") as trace:
            trace.seek(max(0, trace.seek(0, os.SEEK_END) - _TAIL_BYTES))
            end = trace.read()
        return re.search(rb"^%d +\+\+\+ exited" % process.pid, end, re.MULTILINE) is not None

    def steps(self, name: ServiceName, names: re.Pattern[bytes]) -> list[Step]:
        """What a service that was stopped has done; ``names`` finds what requests name."""
        service = self.services[name]
        reader = _Reader(self.home / f"{name}.db", int(service.address.rpartition(":")[2]), names)
        with self._traces[name].open() as trace:
            return list(reader.read(strace.calls(trace)))


class _Reader:
    """Keeps the files of one SQLite database apart; any other is no affair of this."""

    def __init__(self, database: Path, port: int, names: re.Pattern[bytes]) -> None:
        self._directory = str(database.parent)
        self._mine = {f"{database}{suffix}" for suffix in ("", "-wal", "-journal")}
        self._files: dict[str, int] = {}
        self._made = 0
        self._port = str(port)
        self._connections: defaultdict[str, Connection] = defaultdict(lambda: Connection(names))

    def read(self, calls: Iterator[strace.Call]) -> Iterator[Step]:
        for call in calls:
            if call.result < 0:
                continue
            if local := _LOCAL_PORT.match(call.descriptor):
                if local[1] == self._port:
                    yield from self._talk(call)
            elif call.name in ("fsync", "fdatasync"):
                yield from self._sync(call)
            elif (change := self._change(call)) is not None:
                yield Changed(change, call.ended)

    def _talk(self, call: strace.Call) -> Iterator[Step]:
        connection = self._connections[call.descriptor]
        piece = b"".join(call.texts())[: call.result]
        match call.name:
            case "recvmsg":
                connection.receive(piece)
            case "sendmsg":
                if names := connection.send(piece):
                    yield Answered(names)
            case _:
                raise ValueError(f"the replay does not know answers by {call.name}")

    def _sync(self, call: strace.Call) -> Iterator[Step]:
        if call.descriptor == self._directory:
            yield Synced(None, call.begun)
        elif call.descriptor in self._mine:
            yield Synced(self._files[call.descriptor], call.begun)

    def _change(self, call: strace.Call) -> Change | None:
        paths = [call.descriptor]
        if call.name in _TAKE_PATHS:
            paths += [text.decode() for text in call.texts()]
        path = next((each for each in paths if each in self._mine), None)
        if path is None:
            return None
        match call.name:
            case "open" | "openat":
                if path in self._files or "O_CREAT" not in call.arguments:
                    return None
                self._made += 1
                self._files[path] = self._made
                return Name(path, self._made)
            case "unlink":
                del self._files[path]
                return Unname(path)
            case "pwrite64":
                data = call.texts()[0][: call.result]
                return Write(self._files[path], call.last, data)
            case "ftruncate":
                return Resize(self._files[path], call.last)
            case _:
                raise ValueError(f"the replay does not know changes by {call.name}: {path}")
