"""What the forms of datastores and of the first steps show as a command asks for the same."""

from __future__ import annotations

import shlex

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import groups, start
from ironcore.notification.v1 import config_service_pb2 as config
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as router

AWKWARD = ("ibs-primary:", "it's \"$(rm -rf /)\" & 'more'\\ -", "--force", "/datastore/x y\n`z`")


@pytest.mark.parametrize("resource", AWKWARD)
def test_attaching_and_detaching_ask_for_the_same(cli: Cli, resource: str) -> None:
    attach = config.AttachResourceRequest(group="ops-team", resource=resource)
    run(cli, groups.command(attach))
    detach = config.DetachResourceRequest(group="ops-team", resource=resource)
    run(cli, groups.command(detach))
    requests = [each.request for each in cli.config.calls]
    assert attach in requests
    assert detach in requests


@pytest.mark.parametrize("text", AWKWARD)
def test_the_first_event_is_the_same(cli: Cli, text: str) -> None:
    event = event_pb2.Event(type="backup.failed", subject=text, summary=text, resource=text)
    request = router.EmitRequest(event=event)
    run(cli, start.emit(request))
    assert request in [each.request for each in cli.router.calls]


def run(cli: Cli, command: str) -> None:
    program, notification, *words = shlex.split(command.replace(" \\\n  ", " "))
    assert (program, notification) == ("ironcore-backup", "notification")
    result = cli(*words)
    assert result.exit_code == 0, result.output
