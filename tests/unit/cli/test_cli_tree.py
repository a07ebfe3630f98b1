"""The shape of the command tree: help, examples, completion, start-up."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from tests.support.command_line import Cli

from ibs_notify.cli.completion import PROGRAM, VARIABLE
from ibs_notify.cli.errors import Exit
from ibs_notify.cli.tree import root
from ibs_notify.domain.errors import Internal, Reason
from ironcore.notification.v1 import config_service_pb2, group_pb2, target_pb2


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None
            yield from _walk(child, (*path, name))


PATHS = list(_walk(root, ()))


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_that_command(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(root, [*path, "--help"], prog_name=PROGRAM)

    assert result.exit_code == 0
    assert "Example" in result.output
    assert " ".join((PROGRAM, *path)) in result.output.partition("Example")[2]


def test_the_tree_has_every_command_of_the_issue() -> None:
    nouns = {
        "target": "create update list show delete test enable disable resume",
        "group": "create update list show delete attach detach status",
        "settings": "show update",
        "rule": "check",
        "event": "list show",
        "inbox": "list show watch read unread archive count",
        "silence": "create list show expire",
        "digest": "list preview flush",
        "delivery": "list show retry cancel",
        "ledger": "verify",
        "audit": "list verify",
        "event-types": "list",
    }
    wanted: set[tuple[str, ...]] = {
        ("notification", noun, verb) for noun, verbs in nouns.items() for verb in verbs.split()
    }
    wanted |= {
        ("notification", "group", "target", verb) for verb in ["add", "list", "update", "remove"]
    }
    wanted |= {("notification", "group", "dedup", "preview")}
    wanted |= {
        ("notification", noun) for noun in ("emit", "explain", "coverage", "status", "completion")
    }

    assert wanted <= set(PATHS)


@pytest.mark.parametrize(("noun", "verb"), [("target", "show"), ("group", "update")])
def test_the_help_says_whose_name_is_wanted(noun: str, verb: str) -> None:
    output = CliRunner().invoke(root, ["notification", noun, verb, "--help"]).output

    assert f"The {noun}'s name" in output


@pytest.mark.parametrize("arguments", [[], ["notification"]])
def test_the_help_documents_the_exit_codes(arguments: list[str]) -> None:
    output = CliRunner().invoke(root, [*arguments, "--help"]).output

    for code in ("  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", " 70  ", "130  "):
        assert code in output


def test_help_imports_neither_grpc_nor_rich_nor_the_api() -> None:
    program = (
        "import sys\n"
        "from ibs_notify.cli.tree import root\n"
        "try:\n"
        "    root.main(['notification', '--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'grpc', 'rich', 'yaml', 'google.protobuf'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o nosort"), ("zsh", "#compdef"), ("fish", "complete")]
)
def test_a_shell_gets_its_completion_script(cli: Cli, shell: str, sign: str) -> None:
    result = cli("completion", shell)

    assert result.exit_code == 0
    assert sign in result.stdout
    assert VARIABLE in result.stdout


def _completions(arguments: list[str], incomplete: str) -> list[str]:
    items = ShellComplete(root, {}, PROGRAM, VARIABLE).get_completions(arguments, incomplete)
    return [item.value for item in items]


def test_a_target_is_completed_from_the_service(cli: Cli) -> None:
    cli.config.answers["ListTargets"] = config_service_pb2.ListTargetsResponse(
        targets=[target_pb2.Target(name="ops-smtp"), target_pb2.Target(name="chat-ops")]
    )

    assert _completions(["notification", "target", "show"], "op") == ["ops-smtp"]
    assert _completions(["notification", "target", "show", "--name"], "ch") == ["chat-ops"]


def test_the_second_argument_of_group_target_is_completed_as_a_target(cli: Cli) -> None:
    cli.config.answers["ListTargets"] = config_service_pb2.ListTargetsResponse(
        targets=[target_pb2.Target(name="one")]
    )
    cli.config.answers["ListGroups"] = config_service_pb2.ListGroupsResponse(
        groups=[group_pb2.Group(name="many")]
    )
    line = ["notification", "group", "target", "add"]

    assert _completions(line, "") == ["many"]
    assert _completions([*line, "many"], "") == ["one"]
    assert _completions([*line, "--group", "many"], "") == ["one"]


def test_completion_is_silent_when_the_service_fails(cli: Cli) -> None:
    cli.config.answers["ListTargets"] = Internal(Reason.INTERNAL, "broken")

    assert _completions(["notification", "target", "show"], "") == []


def test_completion_is_silent_when_the_service_is_not_there(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_CONFIG_ADDRESS", "127.0.0.1:1")

    assert _completions(["notification", "target", "show"], "") == []


def test_commands_are_completed() -> None:
    assert _completions(["notification"], "e") == ["emit", "event", "explain", "event-types"]


def test_the_manual_names_every_command_and_exit_code() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()

    for path in PATHS:
        for word in path[1:]:
            assert re.search(rf"\b{re.escape(word)}\b", manual), path
    for code in Exit:
        assert f"| {code.value} |" in manual
