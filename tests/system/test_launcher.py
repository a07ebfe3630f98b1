"""`ibs-notify up` as its user meets it: started, greeted, killed, stopped, started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.rpc.channel import open_blocking_plain_channel
from ibs_notify.settings import PROGRAMS, SERVICES, ProgramName
from ironcore.notification.v1 import config_service_pb2, settings_pb2
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from tests.system.installation import free_port, until

pytestmark = pytest.mark.system

CLI = [sys.executable, "-m", "ibs_notify.cli", "notification"]
LAUNCHER = [sys.executable, "-m", "ibs_notify.launcher"]
SECONDS = 40.0
LAST_LINE = "Ctrl-C stops it.\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A home and four addresses, for one launcher or one after another.

    ``extra`` are more variables.
    """

    home: Path
    addresses: Mapping[ProgramName, str]
    extra: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def fresh(cls, home: Path) -> Place:
        return cls(home, {program: f"127.0.0.1:{free_port()}" for program in PROGRAMS})

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("IBS_")}
        where = {f"IBS_NOTIFY_{each.upper()}_ADDRESS": at for each, at in self.addresses.items()}
        return {**inherited, "IBS_NOTIFY_HOME": str(self.home), **where, **self.extra}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [*LAUNCHER, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def serves(self) -> bool:
        return self.run("health").returncode == 0

    def listens(self, service: ProgramName) -> bool:
        host, _, port = self.addresses[service].partition(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0


@dataclass(frozen=True, slots=True)
class Launched:
    """A launcher that greeted."""

    process: subprocess.Popen[str]
    greeting: str

    def child(self, service: ProgramName) -> int:
        """The process id of the newest process of ``service``; 0 where there is none."""
        mine = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in map(int, mine.split()):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if service.encode() in arguments:
                return pid
        return 0


@contextmanager
def up(place: Place, *flags: str) -> Iterator[Launched]:
    """A launcher that runs until the block ends, unless it ended before."""
    with place.log.open("ab") as log:
        process = subprocess.Popen(
            [*LAUNCHER, "up", *flags],
            env=place.environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        lines = []
        while line := process.stdout.readline():
            lines.append(line)
            if line == LAST_LINE:
                break
        assert lines, place.log.read_text()
        yield Launched(process, "".join(lines))
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.fresh(tmp_path / "home")


def test_up_serves_greets_and_stops_on_ctrl_c(place: Place) -> None:
    with up(place) as launched:
        assert place.serves()
        assert all(address in launched.greeting for address in place.addresses.values())
        assert str(place.home) in launched.greeting
        for missing in ("default recipients", "public URL", "time zone"):
            assert missing in launched.greeting
        launched.process.send_signal(signal.SIGINT)
        assert launched.process.wait(SECONDS) == 0
    assert not any(place.listens(program) for program in PROGRAMS)
    assert "ERROR" not in place.log.read_text()


def test_a_second_start_finds_what_was_set_and_asks_for_the_rest(place: Place) -> None:
    with up(place), open_blocking_plain_channel(place.addresses["config"]) as channel:
        request = config_service_pb2.UpdateSettingsRequest(
            settings=settings_pb2.Settings(public_url="https://ibs.example.com"),
            update_mask=FieldMask(paths=["public_url"]),
        )
        ConfigServiceStub(channel).UpdateSettings(request, timeout=SECONDS)
    with up(place) as launched:
        assert "public URL" not in launched.greeting
        assert "default recipients" in launched.greeting


def test_a_service_that_dies_is_named_with_its_last_lines_and_started_again(place: Place) -> None:
    with up(place) as launched:
        first = launched.child("router")
        os.kill(first, signal.SIGKILL)
        until(lambda: launched.child("router") not in (0, first), "a new router")
        until(place.serves, "all serve again")
        log = place.log.read_text()
    assert "router was killed by SIGKILL; its last lines:" in log
    assert "    20" in log.partition("its last lines:")[2]
    assert "router starts again in 1 s" in log


def test_the_console_is_greeted_with_its_address_and_answers_there(place: Place) -> None:
    with up(place) as launched:
        assert f"  Console   http://{place.addresses['console']}/\n" in launched.greeting
        assert place.run("health", "console").returncode == 0


def test_a_console_that_dies_starts_again_and_stops_no_service(place: Place) -> None:
    with up(place) as launched:
        services = {each: launched.child(each) for each in SERVICES}
        os.kill(first := launched.child("console"), signal.SIGKILL)
        until(lambda: launched.child("console") not in (0, first), "a new console")
        until(lambda: place.run("health", "console").returncode == 0, "the console answers")
        assert {each: launched.child(each) for each in SERVICES} == services
    assert "console starts again in 1 s" in place.log.read_text()


def test_a_console_that_cannot_start_leaves_the_services_at_work(place: Place) -> None:
    broken = replace(
        place,
        extra={"IBS_NOTIFY_CONSOLE_CERTIFICATE": "/none", "IBS_NOTIFY_CONSOLE_KEY": "/none"},
    )
    with up(broken):
        assert place.serves(), "the console counts where it is named"
        assert place.run("health", "console").returncode == 1
    assert "/none and /none cannot be used: No such file or directory" in place.log.read_text()


def test_up_does_without_a_console_where_it_is_told_to(place: Place) -> None:
    host, _, port = place.addresses["console"].partition(":")
    with socket.create_server((host, int(port))):
        taken = place.run("up")
        assert taken.returncode == 1
        assert f"console cannot listen on {place.addresses['console']}" in taken.stderr
        assert "IBS_NOTIFY_CONSOLE_ADDRESS" in taken.stderr
        with up(place, "--no-console") as launched:
            assert "Console" not in launched.greeting
            assert place.serves()


def test_nothing_survives_a_launcher_that_was_killed(place: Place) -> None:
    with up(place) as launched:
        launched.process.kill()
        for service in PROGRAMS:
            until(lambda name=service: not place.listens(name), f"{service} is gone")  # type: ignore[misc]  # a lambda's default has no type
    with up(place):
        assert place.serves()


def test_a_service_that_cannot_start_ends_the_launcher_with_its_reason(place: Place) -> None:
    place.home.mkdir()
    (place.home / "router.db").write_text("this is no database, and was never one " * 200)
    result = place.run("up")
    assert result.returncode == 1
    assert "router ended with exit code 1; its last lines:" in result.stderr
    assert "not a database" in result.stderr
    assert not any(place.listens(service) for service in SERVICES)


def test_two_installations_run_side_by_side(place: Place, tmp_path: Path) -> None:
    other = Place.fresh(tmp_path / "other")
    with up(place), up(other) as launched:
        assert place.serves()
        assert other.serves()
        assert f"IBS_NOTIFY_ROUTER_ADDRESS={other.addresses['router']}" in launched.greeting
        launched.process.terminate()
        assert launched.process.wait(SECONDS) == 0
        assert place.serves()
        assert other.run("health").returncode == 1


def test_a_second_launcher_on_the_same_home_is_refused(place: Place) -> None:
    with up(place) as launched:
        second = Place(place.home, Place.fresh(place.home).addresses).run("up")
        assert second.returncode == 1
        assert (
            f"error: ibs-notify already runs on {place.home} (process {launched.process.pid})"
            in second.stderr
        )
        assert "IBS_NOTIFY_HOME" in second.stderr
        assert place.serves()


def test_a_taken_address_is_named_with_its_setting(place: Place) -> None:
    host, _, port = place.addresses["delivery"].partition(":")
    with socket.create_server((host, int(port))):
        result = place.run("up")
    assert result.returncode == 1
    assert f"delivery cannot listen on {place.addresses['delivery']}" in result.stderr
    assert "IBS_NOTIFY_DELIVERY_ADDRESS" in result.stderr
    assert "Traceback" not in result.stderr


def test_one_service_runs_alone_and_health_tells_it_apart(place: Place) -> None:
    with place.log.open("ab") as log:
        config = subprocess.Popen([*LAUNCHER, "config"], env=place.environment, stderr=log)
    try:
        until(lambda: place.run("health", "config").returncode == 0, "config serves")
        everything = place.run("health")
        assert everything.returncode == 1
        states = dict(line.split()[::2] for line in everything.stdout.splitlines())
        absent = dict.fromkeys(PROGRAMS[1:], "UNAVAILABLE")
        assert states == {"config": "SERVING", **absent}
    finally:
        config.terminate()
    assert config.wait(SECONDS) == 0


@pytest.fixture
def secured(place: Place) -> Place:
    """A place in production, whose certificates are still to be made."""
    peers = {
        f"IBS_NOTIFY_{each.upper()}_PEER_ADDRESS": f"127.0.0.1:{free_port()}" for each in SERVICES
    }
    extra = {"IBS_NOTIFY_PROFILE": "production", **peers}
    return replace(place, extra={**extra, "IBS_NOTIFY_TLS_DIRECTORY": str(place.home / "tls")})


def test_a_secured_installation_is_made_started_and_used_by_its_administrator(
    secured: Place,
) -> None:
    assert secured.run("certs", "init").returncode == 0
    with up(secured) as launched:
        assert secured.serves()
        assert str(secured.home / "tls" / "administrator.key") in launched.greeting
        assert f"IBS_NOTIFY_TLS_DIRECTORY={secured.home / 'tls'}" in launched.greeting
        emitted = subprocess.run(
            [*CLI, "emit", "--type", "backup.failed", "--subject", "Backup failed"],
            env=secured.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert emitted.returncode == 0, emitted.stderr
        assert "accepted" in emitted.stdout
    assert "without TLS" not in secured.log.read_text()


def test_production_does_not_start_without_certificates(place: Place, secured: Place) -> None:
    unset = replace(place, extra={"IBS_NOTIFY_PROFILE": "production"}).run("up")
    missing = secured.run("up")
    for result in (unset, missing):
        assert result.returncode == 1
        assert "ibs-notify certs init" in result.stderr
        assert "Traceback" not in result.stderr
    assert "config.pem cannot be read" in missing.stderr


def test_a_taken_address_of_the_peers_is_named_with_its_setting(secured: Place) -> None:
    assert secured.run("certs", "init").returncode == 0
    taken = secured.extra["IBS_NOTIFY_ROUTER_PEER_ADDRESS"]
    with socket.create_server(("127.0.0.1", int(taken.rpartition(":")[2]))):
        result = secured.run("up")
    assert result.returncode == 1
    assert f"router cannot listen on {taken}" in result.stderr
    assert "IBS_NOTIFY_ROUTER_PEER_ADDRESS" in result.stderr
