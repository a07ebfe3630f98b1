"""Targets 14 and 15: how fast the services start, and what they weigh idle and after events."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from ibs_notify.settings import SERVICES, ServiceName
from tests.bench import load
from tests.bench.lines import Line, middle
from tests.bench.processes import resident_mib, started
from tests.system.installation import Installation, running_installation

FEW, MANY = 10_000, 200_000


def start_and_memory(rounds: int) -> list[Line]:
    """A first start makes the databases; the second is what counts."""
    starts, weights = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as home:
            with running_installation(Path(home)):
                pass
            began = time.perf_counter()
            with running_installation(Path(home)) as installation:
                starts.append(time.perf_counter() - began)
                weights.append(max(_resident(installation, name) for name in SERVICES))
    return [
        Line(
            "14",
            "start of all three to SERVING",
            f"{middle(starts):.2f} s",
            "",
            middle(starts),
            1.5,
            at_most=True,
        ),
        Line(
            "14",
            "idle memory of the largest service",
            f"{middle(weights):.0f} MiB",
            "",
            middle(weights),
            90,
            at_most=True,
        ),
        _growth(),
    ]


def _resident(installation: Installation, name: ServiceName) -> float:
    process = installation.services[name].process
    assert process is not None
    return resident_mib(process.pid)


def _growth() -> Line:
    with (
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.router_alone", home, "2") as router,
    ):
        asyncio.run(load.batches(router, FEW // 100, 100))
        before = resident_mib(router.process.pid)
        asyncio.run(load.batches(router, (MANY - FEW) // 100, 100))
        after = resident_mib(router.process.pid)
    return Line(
        "15",
        f"Router's memory after {MANY:,} events",
        f"{after:.0f} MiB",
        f"after {FEW:,}: {before:.0f} MiB",
        after / before,
        1.2,
        at_most=True,
    )
