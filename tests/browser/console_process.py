"""The console as a process beside an installation's services."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.system.installation import STOP_SECONDS, Installation, free_port, until

SLOW_SECONDS = 5.0
COMMAND = (sys.executable, "-m", "ibs_notify.console")


@dataclass(frozen=True, slots=True)
class Console:
    """``base`` is its address: ``http://127.0.0.1:PORT``."""

    installation: Installation
    base: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")


@contextmanager
def running_console(
    installation: Installation,
    extra: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    port: int = 0,
) -> Iterator[Console]:
    """A console that answers, until the block ends. ``extra`` are more environment variables.

    ``port``: that of one that ended, where it is to be found again.
    """
    port = port or free_port()
    log = next(iter(installation.services.values())).log.with_name("console.log")
    environment = {
        **installation.environment,
        "IBS_NOTIFY_CONSOLE_ADDRESS": f"127.0.0.1:{port}",
        **(extra or {}),
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=installation.home,
            env=environment,
            stdout=out,
            stderr=out,
        )
    console = Console(installation, f"http://127.0.0.1:{port}", log, process)
    try:
        until(lambda: _answers(console), "the console answers")
        yield console
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


class OwnConsole:
    """A console of a test's own, which it may end and start again where it was."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._running = ExitStack()
        self.base = ""
        self._port = 0
        self.start()

    def start(self) -> None:
        one = self._running.enter_context(running_console(self._installation, port=self._port))
        self.base, self._port = one.base, one.port

    def end(self) -> None:
        self._running.close()


def _answers(console: Console) -> bool:
    if console.process.poll() is not None:
        raise RuntimeError(f"the console ended before it served:\n{console.said}")
    try:
        # There is nothing; that it says so needs neither a session nor a service.
        with urlopen(f"{console.base}/static/", timeout=SLOW_SECONDS):
            return True
    except HTTPError:
        return True
    except OSError:
        return False
