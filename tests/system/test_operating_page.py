"""A new administrator gets from zero to production by `docs/operating.md` alone.

The page's commands are run as they stand, by bash. Only what a test has not got is another: the
directories, the ports, the mail server, and systemd, whose place takes whoever reads its unit.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ibs_notify.settings import PROGRAMS, SERVICES
from tests.system.checker import read_receipts
from tests.system.installation import free_port, until
from tests.system.sinks import Sink, running_sink

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating.md"
UNIT = ROOT / "deploy" / "systemd" / "ibs-notify@.service"
BINARIES = Path(sys.executable).parent

pytestmark = [pytest.mark.system, pytest.mark.slow]


def steps(heading: str) -> list[str]:
    """The blocks of commands of a section, in order."""
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index(f"\n## {heading}\n") + 1 :]
    section = section[: section.index("\n## ")]
    return re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Machine:
    """Where the page is followed: everything below ``root``."""

    def __init__(self, root: Path, mail_port: int) -> None:
        self.root = root
        root.mkdir()
        self.exports = f"export PATH={root}/programs:$PATH\n"
        ports = "".join(
            f'{name}_{kind} = "127.0.0.1:{free_port()}"\n'
            for name in SERVICES
            for kind in ("address", "peer_address")
        )
        self.console_port = free_port()
        ports += f'console_address = "127.0.0.1:{self.console_port}"\n'
        more = f'{ports}egress_allow = "loopback"\n'
        smtp = f"127.0.0.1 --port {mail_port} --tls none"
        profile = 'profile = "production"\n'
        self.instead = {
            "/etc/ibs-notify": f"{root}/etc",
            "/var/lib/ibs-notify": f"{root}/var",
            "/var/backups/ibs-notify": f"{root}/backups",
            "/root/": f"{root}/root/",
            "/opt/ibs-notify/bin": str(BINARIES),
            "ibs-notify: ": f"{os.getuid()}:{os.getgid()} ",
            "smtp.example.com --port 587 --tls starttls": smtp,
            profile: profile + more,
        }
        for directory in ("etc", "root", "programs", "var"):
            (root / directory).mkdir(mode=0o700)
        systemctl = root / "programs" / "systemctl"
        systemctl.write_text("#!/bin/sh\nexit 0\n")
        systemctl.chmod(0o755)

    def here(self, text: str) -> str:
        """``text`` with what this machine has instead."""
        for theirs, ours in self.instead.items():
            text = text.replace(theirs, ours)
        return text

    def follow(self, block: str, *, code: int = 0) -> str:
        """Run a block of the page; what it printed."""
        commands = self.here(block)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("IBS_")}
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.exports + commands],
            cwd=ROOT,
            env={**environment, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert result.returncode == code, f"{commands}\n{result.stdout}"
        self.exports += "".join(re.findall(r"^export .*\n", commands, re.MULTILINE))
        return result.stdout

    def logged_in(self, token: str) -> str:
        """The first page of the console that who presents ``token`` is shown."""
        trusted = ssl.create_default_context(cafile=str(self.root / "etc/tls/ca.pem"))
        keeps_cookies = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=trusted), urllib.request.HTTPCookieProcessor()
        )
        base = f"https://127.0.0.1:{self.console_port}"
        form = urllib.parse.urlencode({"token": token, "next": "/settings"}).encode()
        request = urllib.request.Request(f"{base}/login", form, {"Origin": base})
        with keeps_cookies.open(request, timeout=20) as answer:
            page: str = answer.read().decode()
        return page

    @contextmanager
    def services(self) -> Iterator[None]:
        """What systemd would run, with the environment of the unit."""
        started = []
        try:
            for name in PROGRAMS:
                unit = self.here(UNIT.read_text().replace("%i", name))
                given = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
                (self.root / "var" / name).mkdir(mode=0o700)
                with (self.root / f"{name}.log").open("wb") as log:
                    command = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0].split()
                    process = subprocess.Popen(command, env=given, cwd="/", stdout=log, stderr=log)
                    started.append(process)
            yield
        except BaseException as error:
            logs = ((name, (self.root / f"{name}.log").read_text()) for name in PROGRAMS)
            error.add_note("\n".join(f"--- log of {name}:\n{text[-2000:]}" for name, text in logs))
            raise
        finally:
            for each in started:
                each.terminate()
            for each in started:
                each.wait(20)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Sink]:
    with running_sink("mail", "smtp", tmp_path) as sink:
        yield sink


def test_who_follows_the_page_ends_in_production(tmp_path: Path, mail: Sink) -> None:
    machine = Machine(tmp_path / "machine", mail.port)
    install, settings, certificates, start, tokens, targets, emit, backup = steps(
        "From zero to production"
    )
    (renewal,) = steps("Under systemd")
    for named in re.findall(r"requirements\.lock|deploy/systemd", install):
        assert (ROOT / named).exists()
    machine.follow(settings)
    machine.follow(certificates)
    with machine.services():
        assert machine.follow(start).count("SERVING") >= len(SERVICES)
        listed = machine.follow(tokens)
        assert "root-here" in listed
        assert "backup-jobs" in listed
        assert "ibsn_" not in listed, "a token is in its file and nowhere else"
        machine.follow("for _ in {1..30}; do ibs-notify health console && break; sleep 1; done")
        token = (machine.root / "root/.ibs-notify-token").read_text().strip()
        assert "root-here" in machine.logged_in(token)
        machine.follow(targets)
        assert "first-event" in machine.follow(emit)
        refused = "IBS_NOTIFY_TOKEN_FILE=/etc/ibs-notify/backup-jobs.token "
        refused += "ironcore-backup notification inbox list"
        assert "it needs the role viewer" in machine.follow(refused, code=4)
        until(lambda: len(read_receipts(mail.log)) == 2, "the test and the event are told by mail")
        machine.follow(backup)
        before = machine.follow("ironcore-backup notification explain first-event")
        first = (machine.root / "etc/tls/router/router.pem").read_bytes()
        machine.follow(renewal)
        assert (machine.root / "etc/tls/router/router.pem").read_bytes() != first
        assert machine.follow("ironcore-backup notification explain first-event") == before
    kept = {str(each.relative_to(machine.root)) for each in machine.root.rglob("*")}
    assert {f"root/ibs-notify-keys/{each}" for each in ("secret.key", "tls/ca.key")} <= kept
    assert {"config.db", "router.db", "delivery.db"} <= {
        each.name for each in (machine.root / "backups").glob("*/*")
    }
    secrets = [*machine.root.rglob("*.key"), *machine.root.rglob("*token")]
    assert len(secrets) > 5
    assert all(each.stat().st_mode & 0o077 == 0 for each in secrets)
