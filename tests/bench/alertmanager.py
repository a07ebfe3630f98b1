"""The peer of targets 4, 10 and 11: an Alertmanager that tells one webhook of each alert."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.processes import Server

PEER = "prometheus-alertmanager"
_CONFIG = """
route:
  receiver: hook
  group_by: ['...']
  group_wait: {wait}
  group_interval: 1m
receivers:
  - name: hook
    webhook_configs:
      - url: http://127.0.0.1:{port}/hook
"""


def alert(number: int) -> dict[str, Any]:
    """About the size of a ``load.failed_backup``, and different from every other."""
    return {
        "labels": {"alertname": "BackupFailed", "vm": str(number)},
        "annotations": {"summary": "Task failed at chunk upload step. " * 6},
    }


@contextmanager
def running_alertmanager(
    home: str, sink_port: int, *, wait: str = "0s", core: int | None = None
) -> Iterator[Server]:
    """An Alertmanager, while it runs. ``home`` is an empty directory.

    It tells of an alert after ``wait``, and is kept to ``core`` where one is given.
    """
    config = Path(home) / "am.yml"
    config.write_text(_CONFIG.format(port=sink_port, wait=wait))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            PEER,
            f"--config.file={config}",
            f"--storage.path={Path(home) / 'am'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        _until_ready(f"http://127.0.0.1:{port}/-/ready")
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(10)


async def post_alerts(port: int, first: int, count: int, size: int = 100) -> None:
    """In requests of ``size``.

    Each alert is another, so that it is told of: one that is known is not, for hours.
    """
    async with aiohttp.ClientSession() as session:
        for start in range(first, first + count, size):
            alerts = [alert(start + number) for number in range(size)]
            async with session.post(
                f"http://127.0.0.1:{port}/api/v2/alerts",
                data=json.dumps(alerts),
                headers={"Content-Type": "application/json"},
            ) as response:
                await response.read()
                response.raise_for_status()


def _until_ready(url: str) -> None:
    for _ in range(500):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(url)
