"""What is deployed is at least accepted by the tools that will read it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ibs_notify.settings import SERVICES, Settings, load

DEPLOY = Path(__file__).parents[2] / "deploy"
TOOLS = Path(sys.executable).parent
UNITS = ("ibs-notify@.service", "ibs-notify.target")

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
    assert set(shown["services"]) == {"postgresql", *SERVICES}


def test_compose_gives_the_services_settings_they_know_and_no_port_to_the_network() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in SERVICES:
        settings = load(services[name]["environment"])
        assert settings.database_url(name).startswith("postgresql+asyncpg://")
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])


def test_the_router_is_given_no_key() -> None:
    router = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["router"]
    assert "IBS_NOTIFY_KEY_FILE" not in router["environment"]
    assert not any("key" in volume for volume in router["volumes"])


@pytest.mark.peer
@pytest.mark.parametrize("instance", SERVICES)
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
    run(analyze, "security", "--offline=true", "--threshold=20", unit)


def test_the_example_settings_are_the_defaults(tmp_path: Path) -> None:
    lines = (DEPLOY / "settings.toml").read_text().splitlines()
    shown = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    file = tmp_path / "settings.toml"
    file.write_text("\n".join(shown))
    assert load({"IBS_NOTIFY_SETTINGS": str(file)}) == Settings()
    assert len(shown) == len(Settings.__dataclass_fields__)
