"""What is deployed is at least accepted by the tools that will read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ibs_notify.settings import PROGRAMS, SERVICES, ProgramName, Settings, load

DEPLOY = Path(__file__).parents[2] / "deploy"
TOOLS = Path(sys.executable).parent
UNITS = ("ibs-notify@.service", "ibs-notify.target")

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNIT = (DEPLOY / "systemd" / UNITS[0]).read_text()

NeedPeer = Callable[[str, str], str]


def run(*command: str | Path) -> str:
    """What ``command`` prints, which must succeed."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_the_image_follows_the_rules_of_dockerfiles() -> None:
    assert run(TOOLS / "hadolint", DEPLOY / "Dockerfile") == ""


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert lines.index("USER 10001") < lines.index('ENTRYPOINT ["ibs-notify"]')


def test_the_compose_file_is_good_yaml() -> None:
    assert run(TOOLS / "yamllint", "--strict", "-c", DEPLOY.parent / ".yamllint.yaml", DEPLOY) == ""


@pytest.mark.peer
def test_compose_accepts_its_file(need_peer: NeedPeer) -> None:
    compose = need_peer("docker-compose", "docker-compose")
    shown = yaml.safe_load(run(compose, "-f", DEPLOY / "compose.yaml", "config"))
    assert set(shown["services"]) == {"postgresql", "administrator", *PROGRAMS}


def test_compose_runs_in_production_with_settings_that_the_services_know() -> None:
    for name in SERVICES:
        settings = load(COMPOSE["services"][name]["environment"])
        assert settings.secured
        assert settings.profile == "production"
        assert settings.database_url(name).startswith("postgresql+asyncpg://")
        assert settings.address(name).startswith(f"{name}:")
        assert settings.peer_address(name).startswith(f"{name}:")


def test_compose_publishes_what_asks_for_a_token_to_this_machine_alone() -> None:
    published = {
        name: each.get("ports", []) for name, each in COMPOSE["services"].items() if "ports" in each
    }
    assert published.pop("console") == ["127.0.0.1:8443:8443"]
    assert published == {
        name: [f"127.0.0.1:{port}:{port}"]
        for name in SERVICES
        for port in [load(COMPOSE["services"][name]["environment"]).address(name).split(":")[1]]
    }


def test_a_container_is_given_its_own_certificate_and_no_other() -> None:
    for name in (*PROGRAMS, "administrator"):
        service = COMPOSE["services"][name]
        tls = [each for each in service["volumes"] if "/tls" in each]
        at = load(service["environment"]).tls_directory
        assert tls == [f"./tls/{name}:{at}:ro"]


def test_a_container_can_change_nothing_but_its_data() -> None:
    for name in (*PROGRAMS, "administrator"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged", False)
        assert all(
            each.split(":")[0] in (name, "key") or each.endswith(":ro")
            for each in service["volumes"]
        )


def test_the_database_can_reach_nothing() -> None:
    assert COMPOSE["services"]["postgresql"]["networks"] == ["database"]
    assert "ports" not in COMPOSE["services"]["postgresql"]
    assert COMPOSE["networks"]["database"] == {"internal": True}


def test_the_router_is_given_no_key() -> None:
    router = COMPOSE["services"]["router"]
    assert "IBS_NOTIFY_KEY_FILE" not in router["environment"]
    assert not any("key" in volume for volume in router["volumes"])


def test_the_console_is_given_its_certificate_and_nothing_of_the_services() -> None:
    console = COMPOSE["services"]["console"]
    settings = load(console["environment"])
    assert settings.secured
    assert settings.console_certificate.startswith(f"{settings.tls_directory}/console.")
    assert settings.console_origins == ("https://localhost:8443",)
    assert console["networks"] == ["services"], "the database is out of its reach"
    assert console["secrets"] == []
    assert not {"DATABASE", "KEY_FILE", "PGPASSFILE"} & {
        each.removeprefix("IBS_NOTIFY_") for each in console["environment"]
    }


@pytest.mark.parametrize("instance", ["router", "console"])
def test_a_unit_that_needs_no_secret_reaches_none(instance: str) -> None:
    (file,) = (DEPLOY / "systemd" / f"ibs-notify@{instance}.service.d").glob("*.conf")
    closed = set(re.findall(r"^InaccessiblePaths=-(.*)$", file.read_text(), re.MULTILINE))
    assert {f"/var/lib/ibs-notify/{each}" for each in SERVICES if each != instance} <= closed


def test_the_image_is_given_what_browsers_need_by_hash() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    vendored = lines.index("RUN python deploy/console/vendor.py")
    assert vendored < next(i for i, line in enumerate(lines) if "pip wheel" in line)
    assert "!deploy/console" in (DEPLOY.parent / ".dockerignore").read_text().splitlines()


def test_the_image_holds_no_program_that_gives_its_user_more_rights() -> None:
    final = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert "find / -xdev -type f -perm /6000 -exec chmod a-s {} +" in final
    assert 'ENTRYPOINT ["ibs-notify"]' in final, "no shell takes part"
    assert "--chown" not in final, "the program is root's, and its user cannot change it"


@pytest.mark.peer
@pytest.mark.parametrize("instance", PROGRAMS)
def test_systemd_accepts_the_units(instance: str, need_peer: NeedPeer, tmp_path: Path) -> None:
    analyze = need_peer("systemd-analyze", "systemd")
    units = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", units)
    template = units / UNITS[0]
    # It asks whether the program is there, and here it is not.
    template.write_text(template.read_text().replace("/opt/ibs-notify/bin/ibs-notify", "/bin/true"))
    template.rename(units / f"ibs-notify@{instance}.service")
    # It exits with 0 on keys that it does not know, but it says so.
    assert run(analyze, "verify", *sorted(units.glob("ibs-notify*.*[et]"))) == ""


@pytest.mark.peer
def test_systemd_finds_the_services_well_locked_in(need_peer: NeedPeer) -> None:
    analyze = need_peer("systemd-analyze", "systemd")
    unit = DEPLOY / "systemd" / UNITS[0]
    # In tenths: 1.1 of 10. What is left is the network, AF_UNIX and the root directory.
    run(analyze, "security", "--offline=true", "--threshold=11", unit)


@pytest.mark.parametrize("instance", PROGRAMS)
def test_a_unit_names_settings_that_the_services_know(instance: ProgramName) -> None:
    unit = UNIT.replace("%i", instance)
    given = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
    assert given.pop("IBS_NOTIFY_SETTINGS") == "/etc/ibs-notify/settings.toml"
    settings = load({"IBS_NOTIFY_PROFILE": "production", **given})
    assert settings.secured
    assert settings.home == Path("/var/lib/ibs-notify", instance)


@pytest.mark.parametrize("instance", PROGRAMS)
def test_a_unit_shows_a_service_its_own_certificate_and_no_other(instance: ProgramName) -> None:
    unit = UNIT.replace("%i", instance)
    given = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
    own = Path(given["IBS_NOTIFY_TLS_DIRECTORY"])
    assert f"\nTemporaryFileSystem={own.parent}:ro\n" in unit
    assert f"\nBindReadOnlyPaths=-{own}\n" in unit


def test_the_example_settings_are_the_defaults(tmp_path: Path) -> None:
    lines = (DEPLOY / "settings.toml").read_text().splitlines()
    shown = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    file = tmp_path / "settings.toml"
    file.write_text("\n".join(shown))
    assert load({"IBS_NOTIFY_SETTINGS": str(file)}) == Settings()
    assert len(shown) == len(Settings.__dataclass_fields__)
