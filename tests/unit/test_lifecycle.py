"""What a service leaves behind, and what it does without."""

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


def test_a_router_without_certificates_does_without_the_ten_megabytes_to_read_them() -> None:
    program = "import sys, ibs_notify.router.app; sys.exit('cryptography' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
