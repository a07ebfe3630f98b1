"""The peer of targets 10 and 11: an Alertmanager that tells one webhook of each alert at once."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PEER = "prometheus-alertmanager"
_CONFIG = """
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
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
def running_alertmanager(home: str, sink_port: int) -> Iterator[int]:
    """Its port, while it runs. ``home`` is an empty directory."""
    config = Path(home) / "am.yml"
    config.write_text(_CONFIG.format(port=sink_port))
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
    )
    try:
        _until_ready(f"http://127.0.0.1:{port}/-/ready")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _until_ready(url: str) -> None:
    for _ in range(500):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(url)
