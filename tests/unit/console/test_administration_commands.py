"""The commands beside the pages of tokens, keys and audit do what the pages do."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import audit, keys, tokens
from ibs_notify.console.forms import Form
from ibs_notify.console.pages.tokens import command_expiry, wanted
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1.audit_service_pb2 import ListAuditEntriesRequest


def run(cli: Cli, command: str) -> None:
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:2] == ["ironcore-backup", "notification"]
    result = cli(*words[2:])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "form",
    [
        {"name": ["alice"], "role": ["viewer"], "expires": ["90d"]},
        {"name": ["bob"], "role": ["administrator"], "expires": ["never"]},
        {"name": ["eve"], "role": ["operator"], "expires": ["date"], "expires_on": ["2100-02-03"]},
        {
            "name": ["nightly"],
            "role": ["emitter"],
            "expires": ["365d"],
            "sources": ["backup\nrestore"],
            "resources": ["/datastore/ibs primary's"],
            "quota": ["600"],
            "description": ["the --jobs of\nthe night"],
        },
    ],
)
def test_a_token_is_made_as_the_form_says(cli: Cli, form: dict[str, list[str]]) -> None:
    filled = Form(form)
    token = wanted(filled, datetime.now(UTC))
    run(cli, tokens.create(token, command_expiry(filled)))
    (sent,) = cli.config.received("CreateToken")
    expected, given = token.expire_time.ToDatetime(), sent.token.expire_time.ToDatetime()
    assert abs(expected - given) < timedelta(minutes=5)
    token.ClearField("expire_time")
    sent.token.ClearField("expire_time")
    assert sent.token == token


def test_a_token_is_revoked(cli: Cli) -> None:
    run(cli, tokens.revoke("alice"))
    assert cli.config.received("RevokeToken") == [config_pb.RevokeTokenRequest(name="alice")]


@pytest.mark.parametrize("keep", [True, False])
def test_keys_are_rotated(cli: Cli, *, keep: bool) -> None:
    run(cli, keys.rotate(keep_newest=keep))
    assert cli.config.received("RotateKeys") == [config_pb.RotateKeysRequest(keep_newest=keep)]


def test_the_audit_log_is_listed_with_the_same_filters(cli: Cli) -> None:
    request = ListAuditEntriesRequest(
        actor="al ice", action_prefix="target.", subject="target/ops-smtp"
    )
    request.since.FromJsonString("2026-05-21T02:14:35Z")
    request.until.FromJsonString("2026-05-22T02:14:35Z")
    run(cli, audit.listed("router", request))
    (sent,) = cli.router.received("ListAuditEntries")
    sent.page_size = 0
    assert sent == request
    assert not cli.config.received("ListAuditEntries")


def test_the_audit_log_is_verified_with_what_was_noted(cli: Cli) -> None:
    noted = f"config:3:{'ab' * 32}"
    command = audit.verify([noted])
    words = shlex.split(command)
    cli(*words[2:])
    (sent,) = cli.config.received("VerifyAuditLog")
    assert (sent.known_sequence, sent.known_hash) == (3, bytes.fromhex("ab" * 32))
