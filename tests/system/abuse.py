"""What a good client feels while others abuse the Router: ``python -m tests.system.abuse``.

Rounds without and with an attack take turns, since the machine is never the same for long; the
figures are medians of the rounds. The attackers run in a process of their own, niced, at rates that
leave a core free: what is measured is the server, not who gets the CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ibs_notify.rpc.channel import open_plain_channel
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.system.abusers import ATTACKS, BEGUN
from tests.system.installation import Installation

RATE = 100
"""Emits a second of the good client."""
MOST_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Use:
    """What the Router's process uses."""

    mebibytes: float
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> Use:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * 4096 / 2**20, len(list(Path(f"/proc/{pid}/fd").iterdir())))


@dataclass(frozen=True, slots=True)
class Round:
    """Latencies in milliseconds, and how many calls failed."""

    p50: float
    p99: float
    failed: int


@dataclass(frozen=True, slots=True)
class Result:
    attack: str
    calm: Sequence[Round]
    attacked: Sequence[Round]
    before: Use
    worst: Use
    after: Use

    @property
    def ratio(self) -> float:
        """Of the medians of the p99."""
        return p99(self.attacked) / p99(self.calm)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.attacked)

    def __str__(self) -> str:
        return (
            f"{self.attack:20} {p99(self.calm):7.2f} {p99(self.attacked):7.2f} {self.ratio:6.2f}"
            f" {self.failed:5} {self.before.mebibytes:6.0f} {self.worst.mebibytes:6.0f}"
            f" {self.after.mebibytes:6.0f} {self.before.descriptors:5} {self.worst.descriptors:5}"
            f" {self.after.descriptors:5}"
        )


HEAD = (
    f"{'attack':20} {'calm':>7} {'under':>7} {'ratio':>6} {'fail':>5} {'RSS':>6} {'worst':>6}"
    f" {'after':>6} {'fds':>5} {'worst':>5} {'after':>5}"
    "   p99 of Emit in ms, MiB and descriptors of the Router"
)


def p99(rounds: Sequence[Round]) -> float:
    return statistics.median(each.p99 for each in rounds)


class Attacker:
    """A process that attacks until it is killed."""

    def __init__(self, name: str, address: str) -> None:
        command = [sys.executable, "-m", "tests.system.abusers", name, address]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def until_begun(self) -> None:
        """Wait until it has done its worst once, which takes a flood of connections seconds."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == BEGUN

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def attacking(name: str, address: str) -> Iterator[Attacker]:
    """An attacker is at work."""
    attacker = Attacker(name, address)
    try:
        yield attacker
    finally:
        attacker.kill()


async def good_client(address: str, seconds: float) -> Round:
    """Emits at a steady rate, whatever became of those before, each timed from when it was due."""
    async with open_plain_channel(address) as channel:
        stub = RouterServiceStub(channel)
        taken: list[float] = []
        failed = 0

        async def emit() -> None:
            nonlocal failed
            request = pb.EmitRequest()
            request.event.type = "backup.completed"
            begun = time.perf_counter()
            try:
                await stub.Emit(request, timeout=10)
            except Exception:  # noqa: BLE001  # whatever it is, the call has failed
                failed += 1
            taken.append((time.perf_counter() - begun) * 1000)

        await emit()
        taken.clear()
        calls = []
        for _ in range(int(seconds * RATE)):
            calls.append(asyncio.create_task(emit()))
            await asyncio.sleep(1 / RATE)
        await asyncio.gather(*calls)
    taken.sort()
    return Round(taken[len(taken) // 2], taken[int(len(taken) * 0.99)], failed)


def measure(installation: Installation, attack: str, rounds: int, seconds: float) -> Result:
    """Rounds without and with ``attack``, in turns."""
    router = installation.services["router"]
    assert router.process is not None
    pid, address = router.process.pid, router.address
    before = Use.of(pid)
    calm, attacked, worst = [], [], before
    for _ in range(rounds):
        calm.append(asyncio.run(good_client(address, seconds)))
        with attacking(attack, address) as attacker:
            attacker.until_begun()
            attacked.append(asyncio.run(good_client(address, seconds)))
            now = Use.of(pid)
            worst = Use(
                max(worst.mebibytes, now.mebibytes), max(worst.descriptors, now.descriptors)
            )
    return Result(attack, calm, attacked, before, worst, _settled(pid, before))


def _settled(pid: int, before: Use) -> Use:
    """What is used once the last of the attack is gone; some seconds are given to it."""
    until = time.monotonic() + 10
    now = Use.of(pid)
    while now.descriptors > before.descriptors + 10 and time.monotonic() < until:
        time.sleep(0.1)
        now = Use.of(pid)
    return now


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.abuse", description=__doc__)
    parser.add_argument("attacks", nargs="*", help=f"of {', '.join(ATTACKS)}; without any: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    given = parser.parse_args()
    print(HEAD, flush=True)
    hurt = []
    with (
        tempfile.TemporaryDirectory() as directory,
        Installation(Path(directory) / "home") as installation,
    ):
        installation.start_and_wait()
        for name in given.attacks or ATTACKS:
            result = measure(installation, name, given.rounds, given.seconds)
            print(result, flush=True)
            if result.ratio > MOST_RATIO or result.failed:
                hurt.append(name)
    print(f"over {MOST_RATIO} × or failed: {', '.join(hurt) or 'none'}")
    return 1 if hurt else 0


if __name__ == "__main__":
    sys.exit(main())
