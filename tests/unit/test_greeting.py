"""What `ibs-notify up` says when everything serves."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from ibs_notify.cli.tree import root
from ibs_notify.launcher.greeting import greeting, installation_settings
from ibs_notify.settings import Settings
from ironcore.notification.v1.settings_pb2 import Settings as InstallationSettings

COMPLETE = InstallationSettings(
    default_recipients=["ops@example.com"],
    public_url="https://ibs.example.com",
    time_zone="Europe/Berlin",
)
COMMANDS = [
    shlex.split(line)
    for line in greeting(Settings(), InstallationSettings(), "ibs").splitlines()
    if line.strip().startswith("ibs ")
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_cli_knows_every_command_and_flag_that_is_named(words: list[str]) -> None:
    names = words[1 : next((i for i, word in enumerate(words) if word.startswith("--")), None)]
    shown = CliRunner().invoke(root, [*names, "--help"])
    assert shown.exit_code == 0
    assert all(word in shown.output.split() for word in words if word.startswith("--"))


def test_what_is_not_set_comes_with_the_command_that_sets_it() -> None:
    text = greeting(Settings(), InstallationSettings(time_zone="UTC"), "ibs")
    for flag in ("--default-recipient", "--public-url", "--timezone"):
        assert f"ibs notification settings update {flag} " in text


def test_what_is_set_is_not_mentioned() -> None:
    text = greeting(Settings(), COMPLETE, "ibs")
    assert "Still to set" not in text
    assert "settings update" not in text


def test_a_config_that_does_not_answer_leaves_the_rest_of_the_greeting() -> None:
    text = greeting(Settings(), None, "ibs")
    assert "127.0.0.1:50052" in text
    assert "Still to set" not in text


def test_the_usual_places_need_no_variables_in_another_terminal() -> None:
    assert "export" not in greeting(Settings(), COMPLETE, "ibs")


def test_other_places_come_as_lines_for_a_shell() -> None:
    settings = Settings(home=Path("/data/my ibs"), router_address="127.0.0.1:6000")
    lines = greeting(settings, COMPLETE, "ibs").splitlines()
    assert "  export IBS_NOTIFY_HOME='/data/my ibs'" in lines
    assert "  export IBS_NOTIFY_ROUTER_ADDRESS=127.0.0.1:6000" in lines
    assert not any("CONFIG_ADDRESS" in line for line in lines)


def test_the_console_comes_first_and_only_where_it_runs() -> None:
    first = greeting(Settings(), COMPLETE, "ibs").split("\n\n")[1]
    assert first == "  Console   http://127.0.0.1:8080/"
    assert "8080" not in greeting(Settings(), COMPLETE, "ibs", console=False)


def test_three_commands_are_there_to_try() -> None:
    tries = greeting(Settings(), COMPLETE, "ibs").partition("Try,")[2]
    assert tries.count("ibs notification ") == 3


def test_what_is_for_trying_out_says_so_and_where_the_way_to_production_is() -> None:
    words = " ".join(greeting(Settings(), COMPLETE, "ibs").split())
    assert "Nobody is asked who they are" in words
    page, heading = "docs/operating.md", "From zero to production"
    assert heading in words
    assert page in words
    assert f"## {heading}\n" in (Path(__file__).parents[2] / page).read_text()
    secured = greeting(Settings(tls_directory="/etc/ibs-notify/tls"), COMPLETE, "ibs")
    assert "Nobody is asked" not in secured


def test_a_secured_installation_says_how_to_come_in_and_the_usual_one_does_not() -> None:
    secured = Settings(tls_directory="/etc/ibs-notify/tls")
    text = greeting(secured, COMPLETE, "ibs")
    assert "/etc/ibs-notify/tls/administrator.key" in text
    assert "  export IBS_NOTIFY_TLS_DIRECTORY=/etc/ibs-notify/tls" in text.splitlines()
    assert "administrator.key" not in greeting(Settings(), COMPLETE, "ibs")


async def test_who_has_no_way_in_is_greeted_all_the_same() -> None:
    assert await installation_settings(Settings(tls_directory="/none")) is None
