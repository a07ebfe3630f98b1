"""The services live within what their systemd unit takes from them."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import delivery_pb2, event_pb2, router_service_pb2
from tests.support.certificates import Certificates
from tests.system.installation import Installation, until
from tests.system.test_deploy import DEPLOY, run

pytestmark = [pytest.mark.system, pytest.mark.peer]

NeedPeer = Callable[[str, str], str]
UNIT = DEPLOY / "systemd" / "ibs-notify@.service"
_SET_MDWE, _GET_MDWE = 65, 66
"""From ``linux/prctl.h``: what is writable is never code, for the process and its children."""
_WITHOUT_WRITABLE_CODE = (
    "import ctypes, os, sys; "
    f"assert ctypes.CDLL(None).prctl({_SET_MDWE}, 1, 0, 0, 0) == 0; "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class LockedIn(Installation):
    """Services without writable code, whose calls of the kernel are counted."""

    def command(self, name: ServiceName) -> list[str]:
        strace = ["/usr/bin/strace", "-D", "-f", "-qq", "-c", "-o", str(self.calls(name))]
        lock = [sys.executable, "-c", _WITHOUT_WRITABLE_CODE]
        return [*strace, *lock, *super().command(name)]

    def calls(self, name: ServiceName) -> Path:
        return self.home / f"{name}.calls"

    def called(self, name: ServiceName) -> set[str]:
        """The names of the calls of a service that has ended."""
        until(lambda: "total" in self.calls(name).read_text(), f"the calls of {name} are told")
        lines = self.calls(name).read_text().splitlines()
        return {line.split()[-1] for line in lines if re.match(r"\s+\d", line)} - {"total"}


def members(listing: str, name: str) -> set[str]:
    """The calls of a set of ``systemd-analyze syscall-filter``, and of the sets in it."""
    block = re.search(rf"^{name}\n((?: .*\n|\n(?= ))*)", listing, re.MULTILINE)
    assert block is not None, name
    lines = {line.strip() for line in block[1].splitlines()}
    calls = {line for line in lines if line and line[0] not in "#@"}
    return calls.union(*(members(listing, line) for line in lines if line.startswith("@")))


def filtered(analyze: str) -> set[str]:
    """The calls that the unit lets through."""
    listing = re.sub(r"\x1b\[[\d;]*m", "", run(analyze, "syscall-filter", "--no-pager"))
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE):
        named = set().union(*(members(listing, each) for each in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


@pytest.mark.slow
def test_the_services_need_no_call_and_no_memory_that_the_unit_refuses(
    need_peer: NeedPeer, tmp_path: Path
) -> None:
    need_peer("strace", "strace")
    allowed = filtered(need_peer("systemd-analyze", "systemd"))
    if ctypes.CDLL(None).prctl(_GET_MDWE, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel cannot refuse writable code by prctl")
    certificates = Certificates.made_in(tmp_path / "tls")
    with LockedIn(tmp_path / "home", certificates=certificates) as installation:
        installation.start_and_wait()
        installation.create_mail("mail", 9, "ops@example.com")
        installation.create_webhook("hook", "http://127.0.0.1:9/")
        installation.create_group("all", {"mail": "*", "hook": "*"})
        event = event_pb2.Event(type="backup.failed", subject="Backup failed")
        installation.router.Emit(router_service_pb2.EmitRequest(event=event), timeout=20.0)
        tried = [delivery_pb2.DELIVERY_STATE_RETRY_WAIT]
        until(lambda: len(list(installation.deliveries(tried))) == 2, "both were tried")
        installation.stop("delivery", "router", "config")
        called = {name: installation.called(name) for name in SERVICES}
    # SQLite gives its files to their owner where it is root, as it may be here and never there.
    allowed |= {"fchown"}
    for name in SERVICES:
        assert {"openat", "mmap", "fsync"} & called[name]
        assert called[name] - allowed == set(), name
    assert {"mount", "ptrace", "reboot", "nice"} & allowed == set()
