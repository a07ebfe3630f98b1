"""``notification template …``: how messages read."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ibs_notify.cli.complete import group_names, target_names
from ibs_notify.cli.files import read_text
from ibs_notify.cli.output import Table, document, output_option, print_document, print_table
from ibs_notify.cli.params import Slot, names
from ibs_notify.cli.session import Session
from ibs_notify.cli.template_view import PARTS, part_of, show_preview
from ibs_notify.domain.errors import NotFound, Reason
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1 import event_pb2, router_service_pb2

_TEMPLATE = Slot("name", ["--name"], lambda *_: [], of="template")


@click.group("template")
def template() -> None:
    """Templates: what a message says. They are set on targets and groups.

    \b
    Example:
      ironcore-backup notification template list
    """


@template.command("list")
@output_option
def list_templates(output: str) -> None:
    """List the built-in templates.

    \b
    Example:
      ironcore-backup notification template list
    """
    with Session() as session:
        found = session.call(session.delivery.ListTemplates, pb.ListTemplatesRequest()).templates
    if output == "table":
        rows = [(each.name, each.description) for each in found]
        print_table(Table(("Name", "For"), rows, empty="there are none"))
    else:
        print_document([document(each) for each in found], output)


@template.command("show")
@names(_TEMPLATE)
def show(name: str) -> None:
    """Print a built-in template, to begin an own one from.

    \b
    Example:
      ironcore-backup notification template show mail.html > mail.html
    """
    with Session() as session:
        found = session.call(session.delivery.ListTemplates, pb.ListTemplatesRequest()).templates
    text = next((each.text for each in found if each.name == name), None)
    if text is None:
        raise click.UsageError(f"there is no template {name!r}: see template list")
    click.echo(text, nl=False)


@template.command("preview")
@click.option(
    "--event",
    "event_given",
    metavar="FILE|EVENT",
    required=True,
    help="A file (JSON; -), or an id.",
)
@click.option("--target", required=True, shell_complete=target_names, help="For whom.")
@click.option("--group", default="", shell_complete=group_names, help="With its templates too.")
@click.option("--digest", is_flag=True, help="With the templates of digests and summaries.")
@click.option("--recipient", metavar="ADDR", multiple=True, help="smtp: in To. Repeatable.")
@click.option(
    "--part",
    type=click.Choice(PARTS),
    help="Print only this, as it is: subject, text, html, or content, all that is sent.",
)
@output_option
def preview(
    event_given: str,
    target: str,
    group: str,
    digest: bool,
    recipient: tuple[str, ...],
    part: str | None,
    output: str,
) -> None:
    """Show what a target would be sent for an event, and send nothing.

    It is rendered by the code that sends; secrets are masked.

    \b
    Examples:
      ironcore-backup notification template preview \\
        --event event.json --target chat-ops
      ironcore-backup notification template preview \\
        --event evt-2026-05-21-001 --target ops-smtp --part html > mail.html
    """
    with Session() as session:
        request = pb.PreviewMessageRequest(
            target=target,
            group=group,
            event=_event(session, event_given),
            digest=digest,
            recipients=recipient,
        )
        answer = session.call(session.delivery.PreviewMessage, request)
    if part is not None:
        sys.stdout.buffer.write(part_of(answer, part))
        sys.stdout.buffer.flush()
    elif output == "table":
        show_preview(answer)
    else:
        print_document(document(answer), output)


def _event(session: Session, given: str) -> event_pb2.Event:
    """The event of a file; where there is none of that name, the one that the Router has."""
    if given == "-" or _is_file(given):
        return event_from_json(read_text(given, "--event"))
    try:
        request = router_service_pb2.GetEventRequest(event_id=given)
        return session.call(session.router.GetEvent, request).event.event
    except NotFound:
        raise NotFound(
            Reason.EVENT_NOT_FOUND, f"there is neither a file nor an event {given!r}"
        ) from None


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except OSError:  # too long for a name, such as an event itself
        return False
