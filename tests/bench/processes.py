"""Servers as processes of their own, pinned to a core, with their CPU time read from the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE = 0
CLIENT_CORE = 1


@dataclass(frozen=True, slots=True)
class Server:
    """A process under measurement. ``port`` is what it printed on its first line."""

    process: subprocess.Popen[str]
    port: int

    def cpu_seconds(self) -> float:
        """See the function of that name."""
        return cpu_seconds(self.process.pid)


@contextmanager
def started(
    module: str, *arguments: str, core: int | None = SERVER_CORE, **environment: str
) -> Iterator[Server]:
    """Run ``python -m MODULE ARGUMENTS`` while the block runs; it prints its port when ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError(f"{module} did not start: {line!r}")
        yield Server(process, int(line))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def client_pinned() -> Iterator[None]:
    """Keep this process off the server's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CORE} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def resident_mib(pid: int) -> float:
    """Resident memory of a process now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
