"""What a process asked of the kernel: run it below strace, and read the trace.

Calls keep the order in which the tracer saw them end. It holds a thread at the end of each call, so
whatever a thread does because a call returned has a later line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TRACED = (
    *("open", "openat", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
    *("link", "linkat", "mmap", "truncate", "ftruncate", "fallocate", "copy_file_range"),
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync"),
    *("sendmsg", "sendto", "recvmsg", "recvfrom"),
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"(.*)\) += (-?\d+|\?)")
_TEXT = re.compile(r"\"((?:\\x[0-9a-f]{2})*)\"(\.\.\.)?")
_DESCRIPTOR = re.compile(r"\d+<((?:\\x[0-9a-f]{2})+|TCP[^,]*\])[<>(]")


def command(trace: Path) -> list[str]:
    """What to put before a command, whose process keeps its own id and exit code."""
    return [
        *("strace", "-D", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", str(1 << 26)),
        *("-o", str(trace), "-e", f"trace={','.join(TRACED)}"),
    ]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that ended. ``begun`` and ``ended`` are lines; ``result`` is -1 where it failed."""

    name: str
    arguments: str
    result: int
    begun: int
    ended: int

    @property
    def descriptor(self) -> str:
        """What its file descriptor is open on: a path, or ``TCP:[from->to]``; empty without one."""
        found = _DESCRIPTOR.search(self.arguments)
        return "" if found is None else _decoded(found[1])

    def texts(self) -> list[bytes]:
        """Every string among the arguments, in order."""
        found = list(_TEXT.finditer(self.arguments))
        if any(each[2] for each in found):
            raise ValueError(f"{self.name} in line {self.ended}: strace cut a string short")
        return [_bytes(each[1]) for each in found]

    @property
    def last(self) -> int:
        """The last argument, a number."""
        return int(self.arguments.rpartition(", ")[2])


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of a trace, as they ended."""
    open_calls: dict[str, tuple[str, str, int]] = {}
    for number, line in enumerate(lines):
        text = line.rstrip("\n")
        if begin := _LINE.match(text):
            thread, name, rest = begin.groups()
            if rest.endswith(_UNFINISHED):
                open_calls[thread] = (name, rest.removesuffix(_UNFINISHED), number)
                continue
            start = number
        elif resumed := _RESUMED.match(text):
            thread, name, rest = resumed.groups()
            name, before, start = open_calls.pop(thread)
            rest = before + rest
        else:
            continue  # a signal, or the end of a thread
        if (end := _RESULT.match(rest)) is not None:
            result = -1 if end[2] == "?" else int(end[2])
            yield Call(name, end[1], result, start, number)


def _decoded(text: str) -> str:
    return _bytes(text).decode() if text.startswith("\\x") else text


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
