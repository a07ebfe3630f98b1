"""What the console says of groups on the command line, run there: the requests are the form's."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import groups as command
from ibs_notify.console.groups.changes import changes
from ibs_notify.console.groups.draft import Draft, Row, draft_of_group, group_of
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.group_pb2 import (
    DIGEST_FREQUENCY_HOURLY,
    GROUP_SCOPE_ATTACHED,
    GROUP_SCOPE_EVERYTHING,
    GROUP_SCOPE_SELECTED,
    Group,
)

FULL = Draft(
    name="ops-team",
    description="It's the team; $(reboot)",
    scope="selected",
    attachments="ibs-primary:production\n/datastore/b",
    rate_limit="off",
    dedup_window="1h30m",
    has_digest=True,
    digest_rule='subject = "a b"',
    digest_frequency="weekly",
    digest_time="07:30",
    digest_weekday="friday",
    digest_time_zone="Europe/Vienna",
    digest_send_empty=True,
    weekly_summary=True,
    rows=(
        Row("ops-smtp", "*", "a@example.com, b@example.com"),
        Row(),
        Row("chat-ops", "severity in (error, critical)"),
    ),
)


def run(cli: Cli, text: str) -> list[Any]:
    """The requests that the lines of ``text`` send, each line a command."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        assert words[:2] == ["ironcore-backup", "notification"]
        result = cli(*words[2:], "--no-wait")
        assert result.exit_code == 0, result.output
    return [call.request for call in cli.config.calls]


def bare_etags(requests: list[Any]) -> list[Any]:
    """The command line reads no etag; a form's field of the mask is enough for it."""
    for each in requests:
        if isinstance(each, pb.UpdateGroupRequest):
            each.group.etag = ""
    return requests


@pytest.mark.parametrize(
    "draft",
    [
        FULL,
        Draft(name="plain"),
        replace(FULL, scope="attached"),
        replace(FULL, scope="everything"),
        replace(FULL, attachments="", has_digest=False, weekly_summary=False),
    ],
)
def test_the_commands_of_a_new_group_make_the_same_group(cli: Cli, draft: Draft) -> None:
    wanted = group_of(draft)
    first, *more = run(cli, command.create(wanted))
    made = Group()
    made.CopyFrom(first.group)
    # As Config does: what is not given has its default.
    made.scope = made.scope or GROUP_SCOPE_EVERYTHING
    for request in more:
        match request:
            case pb.AddSubscriptionRequest():
                made.subscriptions.append(request.subscription)
            case pb.AttachResourceRequest():
                if not made.attachments:
                    made.scope = GROUP_SCOPE_ATTACHED
                made.attachments.append(request.resource)
            case pb.UpdateGroupRequest():
                assert [*request.update_mask.paths] == ["scope"]
                made.scope = request.group.scope
    assert made == wanted


@pytest.mark.parametrize(
    "edited",
    [
        replace(FULL, description="", rate_limit="30", dedup_window="off"),
        replace(FULL, has_digest=False, weekly_summary=False),
        replace(FULL, digest_frequency="hourly", digest_send_empty=False, digest_time_zone=""),
        replace(FULL, attachments="/datastore/c", scope="attached"),
        replace(FULL, rows=(Row("chat-ops", "*"), Row("metrics", "type = a.b"))),
        replace(FULL, rows=(replace(FULL.rows[0], recipients=""), FULL.rows[2])),
        replace(FULL, attachments="", scope="everything"),
    ],
)
def test_the_commands_of_an_edit_send_what_the_form_sends(cli: Cli, edited: Draft) -> None:
    current = group_of(FULL)
    requests = [each.request for each in changes(current, group_of(edited))]
    assert requests
    assert run(cli, command.update(requests)) == bare_etags(requests)


def test_an_edit_that_changes_nothing_has_no_command() -> None:
    group = group_of(FULL)
    assert changes(group, group_of(draft_of_group(group))) == ()
    assert command.update([]).startswith("#")


def test_the_first_resource_sets_the_scope_unless_another_was_chosen() -> None:
    current = group_of(replace(FULL, attachments="", scope="everything"))
    attached = changes(current, group_of(replace(FULL, scope="attached")))
    assert [type(each.request) for each in attached] == [pb.AttachResourceRequest] * 2
    selected = changes(current, group_of(replace(FULL, scope="selected")))
    last = selected[-1].request
    assert isinstance(last, pb.UpdateGroupRequest)
    assert last.group.scope == GROUP_SCOPE_SELECTED


def test_a_digest_of_another_frequency_is_one_field_of_the_mask() -> None:
    (change,) = changes(group_of(FULL), group_of(replace(FULL, digest_frequency="hourly")))
    assert isinstance(change.request, pb.UpdateGroupRequest)
    assert [*change.request.update_mask.paths] == ["digest.frequency"]
    assert change.request.group.digest.frequency == DIGEST_FREQUENCY_HOURLY


@pytest.mark.parametrize("force", [True, False])
def test_the_command_that_deletes_is_forced_where_the_form_is(cli: Cli, force: bool) -> None:
    expected = pb.DeleteGroupRequest(name="ops-team", force=force)
    assert run(cli, command.delete("ops-team", force=force)) == [expected]


def test_the_command_that_lists_asks_for_the_same(cli: Cli) -> None:
    cli.type_in(command.list_(pb.ListGroupsRequest(page_size=50)))
    cli.type_in(command.list_(pb.ListGroupsRequest(text="it's nightly")))
    cli.type_in(command.list_(pb.ListGroupsRequest(resource="/datastore/tank")))
    assert [(each.text, each.resource) for each in cli.config.received("ListGroups")] == [
        ("", ""),
        ("it's nightly", ""),
        ("", "/datastore/tank"),
    ]


def test_the_command_that_tries_a_window_tries_it(cli: Cli) -> None:
    words = shlex.split(command.preview_dedup("ops-team", "1h"))
    cli.router.answers["PreviewDedup"] = router_pb.PreviewDedupResponse()
    assert cli(*words[2:]).exit_code == 0
    (request,) = cli.router.received("PreviewDedup")
    assert (request.group, request.window.seconds) == ("ops-team", 3600)
