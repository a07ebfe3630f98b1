"""``notification explain``: why did I get this, and why did I not?"""

from __future__ import annotations

import click

from ibs_notify.cli.complete import target_names
from ibs_notify.cli.explain_view import show_explanation
from ibs_notify.cli.files import read_text
from ibs_notify.cli.output import document, output_option, print_document, warn_all
from ibs_notify.cli.session import Session
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import router_service_pb2 as pb


@click.command("explain")
@click.argument("event_id", metavar="[ID]", required=False)
@click.option(
    "--event",
    "event_file",
    type=click.Path(),
    help="An event (JSON) that is not sent; - is stdin.",
)
@click.option("--target", shell_complete=target_names, help="Only of this target.")
@click.option(
    "--why-not", is_flag=True, help="Who does not hear: what would have to differ, what came near."
)
@click.option(
    "--verbose", is_flag=True, help="Every rule and decision, also where nothing matched."
)
@output_option
def explain(
    event_id: str | None,
    event_file: str | None,
    target: str | None,
    why_not: bool,
    verbose: bool,
    output: str,
) -> None:
    """Say who hears of an event, who does not, and why.

    Of an event that was accepted, by the rules it was routed by, with how far each notification
    is; with --event of one that is only looked at, by the rules of now. In a rule ✓ marks the
    parts that hold and ✗ those that do not.

    \b
    Examples:
      ironcore-backup notification explain evt-2026-05-21-001
      ironcore-backup notification explain evt-2026-05-21-001 \\
        --target chat-ops --why-not
      ironcore-backup notification explain --event event.json
    """
    if (event_id is None) == (event_file is None):
        raise click.UsageError("of what? Give either an event's id or --event FILE")
    request = pb.ExplainRequest(target=target or "")
    if event_file is not None:
        request.event.CopyFrom(event_from_json(read_text(event_file, "--event")))
    else:
        request.event_id = event_id or ""
    with Session() as session:
        answer = session.call(session.router.Explain, request)
    if output == "table":
        show_explanation(answer, target or "", why_not=why_not, verbose=verbose)
    else:
        print_document(document(answer), output)
    warn_all(answer.warnings)
