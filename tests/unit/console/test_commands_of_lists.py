"""The commands beside lists and panels are ones that the command line has."""

from __future__ import annotations

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import overview, targets, templates
from ironcore.notification.v1.router_service_pb2 import VerifyLedgerResponse


@pytest.mark.parametrize(
    ("command", "service", "method"),
    [
        (overview.COVERAGE, "router", "GetCoverage"),
        (overview.VERIFY_LEDGER, "router", "VerifyLedger"),
        (targets.LIST, "config", "ListTargets"),
        (templates.LIST, "delivery", "ListTemplates"),
    ],
)
def test_what_is_shown_is_asked_for(cli: Cli, command: str, service: str, method: str) -> None:
    cli.router.answers["VerifyLedger"] = VerifyLedgerResponse(balanced=True)
    cli.type_in(command)
    assert getattr(cli, service).received(method)


def test_a_built_in_template_goes_into_a_file_of_its_own() -> None:
    assert templates.show("mail.text").endswith("template show mail.text > text.j2")
