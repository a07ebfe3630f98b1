"""``notification rule check``: is a rule right, and does it match?"""

from __future__ import annotations

import sys

import click

from ibs_notify.cli.errors import Exit
from ibs_notify.cli.files import read_text
from ibs_notify.cli.output import document, output_option, print_document, warn_all
from ibs_notify.cli.session import Session
from ibs_notify.domain.harmless import harmless
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import config_service_pb2 as pb


@click.group("rule")
def rule() -> None:
    """Rules: which events a target hears of.

    \b
    Example:
      ironcore-backup notification rule check "severity >= error"
    """


@rule.command("check")
@click.argument("rule_text", metavar="RULE")
@click.option(
    "--event",
    "event_file",
    type=click.Path(),
    help="Hold it against this event (JSON); - is stdin.",
)
@output_option
def check(rule_text: str, event_file: str | None, output: str) -> None:
    """Say whether a rule is right, and with --event whether it matches (else exit code 1).

    \b
    Examples:
      ironcore-backup notification rule check "type starts-with sync."
      ironcore-backup notification rule check "severity >= error" \\
        --event event.json
    """
    request = pb.CheckRuleRequest(rule=rule_text)
    if event_file is not None:
        request.event.CopyFrom(event_from_json(read_text(event_file, "--event")))
    with Session() as session:
        answer = session.call(session.config.CheckRule, request)
    asked = event_file is not None
    if output == "table":
        click.echo(f"right: {harmless(answer.canonical_rule)}")
        if asked:
            click.echo("it matches" if answer.matches else "it does not match")
    else:
        print_document(document(answer), output)
    warn_all(answer.warnings)
    if asked and not answer.matches:
        sys.exit(Exit.NOT_SO)
