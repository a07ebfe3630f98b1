"""What the editor of templates shows as a command asks for just what Save does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import digests, templates
from ibs_notify.console.message_templates.owner import Owner, owner_of_group, owner_of_target
from ironcore.notification.v1.config_service_pb2 import GetTargetResponse
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates
from ironcore.notification.v1.target_pb2 import Target

AWKWARD = """[{{ event.severity }}] it's "$(rm -rf /)" & 'more' """
LONG = "line\n{{ event.summary }}\n"
PLAIN = "no expression at all"


def words(command: str) -> list[str]:
    """As a shell reads it, behind ``ironcore-backup notification``."""
    return shlex.split(command.replace("\\\n", ""))[2:]


def owner_named(kind: str) -> Owner:
    if kind == "group":
        old = GroupTemplates(html="<p>old</p>")
        return owner_of_group(Group(name="ops-team", templates=old))
    target = Target(name="ops")
    if kind == "smtp":
        target.smtp.html_template = "<p>old</p>"
    else:
        target.webhook.digest_body_template = "{}"
    found = owner_of_target(target)
    assert found is not None
    return found


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("smtp", GroupTemplates(subject=AWKWARD, text=LONG, digest_text=PLAIN)),
        ("smtp", GroupTemplates(html="<p>old</p>", digest_subject="{{ event.type }}")),
        ("webhook", GroupTemplates(body='{"text": "{{ event.subject }}"}')),
        ("group", GroupTemplates(body=LONG, digest_body=AWKWARD, digest_html=PLAIN)),
    ],
)
def test_the_command_saves_what_the_form_saves(
    cli: Cli, directory: Path, kind: str, wanted: GroupTemplates
) -> None:
    owner = owner_named(kind)
    changed = owner.changed(wanted)
    for field in changed:
        if not templates.is_inline(getattr(wanted, field)):
            (directory / templates.file_of(field)).write_text(getattr(wanted, field))
    if kind != "group":
        stored = Target(name="ops")
        getattr(stored, kind).SetInParent()
        cli.config.answers["GetTarget"] = GetTargetResponse(target=stored)
    command = templates.update(owner, wanted, changed)
    result = cli(*words(command), "--no-wait")
    assert result.exit_code == 0, result.output
    (sent,) = cli.config.received("UpdateGroup" if kind == "group" else "UpdateTarget")
    assert set(sent.update_mask.paths) == {owner.path(field) for field in changed}
    given = sent.group.templates if kind == "group" else getattr(sent.target, kind)
    ending = "" if kind == "group" else "_template"
    for field in changed:
        assert getattr(given, f"{field}{ending}") == getattr(wanted, field)


def test_the_preview_asks_for_the_same_target_group_and_event(cli: Cli) -> None:
    command = templates.preview("ops", "ops-team", "evt-1", digest=True)
    assert cli(*words(command)).exit_code == 0
    (sent,) = cli.delivery.received("PreviewMessage")
    assert (sent.target, sent.group, sent.digest) == ("ops", "ops-team", True)
    assert [each.event_id for each in cli.router.received("GetEvent")] == ["evt-1"]


def test_the_commands_of_digests_are_known(cli: Cli) -> None:
    for command in (
        digests.list_digests("compliance", open_only=True),
        digests.preview("dig-7"),
        digests.flush("dig-7"),
    ):
        assert cli(*words(command)).exit_code == 0
    (listed,) = cli.delivery.received("ListDigests")
    assert (listed.group, listed.open_only) == ("compliance", True)
    assert [each.digest_id for each in cli.delivery.received("PreviewDigest")] == ["dig-7"]
    assert [each.digest_id for each in cli.delivery.received("FlushDigest")] == ["dig-7"]
