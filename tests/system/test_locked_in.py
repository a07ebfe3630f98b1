"""The services and the console live within what their systemd unit takes from them."""

from __future__ import annotations

import ctypes
import http.client
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_pb2,
    event_pb2,
    router_service_pb2,
)
from ironcore.notification.v1.token_pb2 import ROLE_ADMINISTRATOR, Token
from tests.browser.console_process import COMMAND as CONSOLE
from tests.browser.console_process import Console, running_console
from tests.support.certificates import Certificates
from tests.system.installation import CALL_SECONDS, Installation, until
from tests.system.test_deploy import DEPLOY, run

pytestmark = [pytest.mark.system, pytest.mark.peer]

NeedPeer = Callable[[str, str], str]
STRACE = ("/usr/bin/strace", "-D", "-f", "-qq")
FORM = "application/x-www-form-urlencoded"
PATHS = (
    *("/", "/overview/events", "/overview/trouble", "/overview/ledger", "/overview/coverage"),
    *("/inbox", "/inbox/counts", "/tasks", "/queue", "/digests", "/datastores"),
    *("/targets", "/targets/hook", "/groups", "/silences", "/templates"),
    *("/settings", "/tokens", "/keys", "/audit"),
)
PEER = re.compile(r'sin6?_port=htons\((\d+)\).*?"(?:::ffff:)?([^"]+)"')
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
        return locked(super().command(name), self.calls(name))

    def calls(self, name: str) -> Path:
        return self.home / f"{name}.calls"

    def called(self, name: str) -> set[str]:
        """The names of the calls of a service that has ended."""
        until(lambda: "total" in self.calls(name).read_text(), f"the calls of {name} are told")
        lines = self.calls(name).read_text().splitlines()
        return {line.split()[-1] for line in lines if re.match(r"\s+\d", line)} - {"total"}


def locked(command: Sequence[str], calls: Path) -> list[str]:
    """``command`` without writable code; its calls are counted in ``calls``."""
    lock = [sys.executable, "-c", _WITHOUT_WRITABLE_CODE]
    return [*STRACE, "-c", "-o", str(calls), *lock, *command]


def visit(console: Console, secret: str) -> None:
    """Log in with the token ``secret``, look at the pages, and let a target be tested."""
    browser = http.client.HTTPConnection("127.0.0.1", console.port, timeout=CALL_SECONDS)

    def ask(method: str, path: str, body: str = "", **heads: str) -> http.client.HTTPResponse:
        said = {"Sec-Fetch-Site": "same-origin", "Content-Type": FORM, **heads}
        browser.request(method, path, body, said)
        answer = browser.getresponse()
        answer.read()
        return answer

    cookie = ask("POST", "/login", urlencode({"token": secret})).headers["Set-Cookie"]
    heads = {"Cookie": cookie.partition(";")[0]}
    for path in PATHS:
        assert ask("GET", path, **heads).status == 200, path
    assert ask("POST", "/targets/hook/test", **heads).status == 200
    browser.close()


def token_of(installation: Installation) -> str:
    """The secret of an administrator's token."""
    token = Token(name="ann", role=ROLE_ADMINISTRATOR)
    request = config_service_pb2.CreateTokenRequest(token=token)
    return installation.config.CreateToken(request, timeout=CALL_SECONDS).secret


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
        secret = token_of(installation)
        command = locked(CONSOLE, installation.calls("console"))
        with running_console(installation, command=command) as console:
            visit(console, secret)
        installation.stop("delivery", "router", "config")
        called = {name: installation.called(name) for name in (*SERVICES, "console")}
    # SQLite gives its files to their owner where it is root, as it may be here and never there.
    allowed |= {"fchown"}
    for name, calls in called.items():
        assert {"openat", "mmap", "fsync"} & calls
        assert calls - allowed == set(), name
    assert {"mount", "ptrace", "reboot", "nice"} & allowed == set()


@pytest.mark.slow
def test_the_console_reaches_the_three_services_and_nothing_else(
    need_peer: NeedPeer, tmp_path: Path
) -> None:
    need_peer("strace", "strace")
    certificates = Certificates.made_in(tmp_path / "tls")
    reached = tmp_path / "reached"
    trace = ["-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(reached)]
    with Installation(tmp_path / "home", certificates=certificates) as installation:
        installation.start_and_wait()
        installation.create_webhook("hook", "http://127.0.0.1:9/")
        secret = token_of(installation)
        command = [*STRACE, *trace, *CONSOLE]
        with running_console(installation, command=command) as console:
            visit(console, secret)
        services = {service.address for service in installation.services.values()}
    peers = PEER.findall(reached.read_text())
    assert {f"{host}:{port}" for port, host in peers} == services
