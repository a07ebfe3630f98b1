"""Target 4: events accepted by a core, in batches of a hundred, beside Alertmanager's alerts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile

from tests.bench import load
from tests.bench.alertmanager import PEER, post_alerts, running_alertmanager
from tests.bench.lines import Line, Note, middle
from tests.bench.processes import SERVER_CORE, client_pinned, started

WARM_UP, EVENTS, BATCH = 2_000, 20_000, 100
UNUSED_PORT = 9
"""Of a webhook that is never called: alerts wait for an hour."""


def batches(rounds: int) -> list[Line | Note]:
    """By the CPU of the server, so that who sends does not count. Ours are durable."""
    if not shutil.which(PEER):
        return [Note(f"target 4 needs {PEER}", "")]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_ours())
        theirs.append(_alertmanager())
    return [
        Line(
            "4",
            "EmitBatch(100) accepted/s of a core",
            f"{middle(ours):,.0f}/s",
            f"Alertmanager {middle(theirs):,.0f}/s",
            middle([mine / other for mine, other in zip(ours, theirs, strict=True)]),
            1.5,
        )
    ]


def _ours() -> float:
    with (
        client_pinned(),
        tempfile.TemporaryDirectory() as home,
        started("tests.bench.router_alone", home, "2") as router,
    ):
        asyncio.run(load.batches(router, WARM_UP // BATCH, BATCH))
        return 1e6 / asyncio.run(load.batches(router, EVENTS // BATCH, BATCH)).cpu


def _alertmanager() -> float:
    with (
        client_pinned(),
        tempfile.TemporaryDirectory() as home,
        running_alertmanager(home, UNUSED_PORT, wait="1h", core=SERVER_CORE) as peer,
    ):
        asyncio.run(post_alerts(peer.port, 0, WARM_UP, BATCH))
        before = peer.cpu_seconds()
        asyncio.run(post_alerts(peer.port, WARM_UP, EVENTS, BATCH))
        return EVENTS / (peer.cpu_seconds() - before)
