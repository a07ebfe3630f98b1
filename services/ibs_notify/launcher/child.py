"""A service, or the console, as the launcher's child: it ends with the launcher, however that ends.

The launcher holds the other end of standard input and writes nothing to it, so its end is the
launcher's death, SIGKILL included. The service then kills itself: nothing that it acknowledged is
lost by that, and the addresses are free at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading

from ibs_notify.rpc.lifecycle import leave


def main() -> int:
    """``python -m ibs_notify.launcher.child SERVICE``."""
    threading.Thread(target=_die_with_the_launcher, daemon=True).start()
    return int(importlib.import_module(f"ibs_notify.{sys.argv[1]}.__main__").main())


def _die_with_the_launcher() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    leave(main())
