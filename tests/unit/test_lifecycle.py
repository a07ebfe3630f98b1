"""A service leaves no core file, which would hold its secrets."""

from __future__ import annotations

import subprocess
import sys

SHOW = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
from ibs_notify.rpc.lifecycle import keep_no_core
{call}
print(*resource.getrlimit(resource.RLIMIT_CORE))
"""


def core_limit(call: str) -> str:
    code = SHOW.format(call=call)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_service_cannot_leave_a_core_file_nor_allow_it_again() -> None:
    assert core_limit("keep_no_core()") == "0 0"
