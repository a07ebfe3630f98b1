"""Named points at which a test kills the process, to prove that nothing is lost there.

``IBS_FAILPOINT=router.after_commit@17`` ends the process with SIGKILL the 17th time that it comes
by ``router.after_commit``. Without the variable a point costs a comparison.
"""

from __future__ import annotations

import os
import signal

_NAME, _, _COUNT = os.environ.get("IBS_FAILPOINT", "").partition("@")


class _Countdown:
    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.left = count

    def hit(self, name: str) -> None:
        if name != self.name:
            return
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _ignore(_name: str) -> None:
    return


hit = _Countdown(_NAME, int(_COUNT or 1)).hit if _NAME else _ignore
"""``hit(name)``: die here if the environment says so."""
