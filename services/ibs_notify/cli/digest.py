"""``notification digest …``: what is gathered instead of being sent at once."""

from __future__ import annotations

import click

from ibs_notify.cli.complete import digest_ids, group_names
from ibs_notify.cli.digest_view import show_digests
from ibs_notify.cli.output import document, output_option, print_document
from ibs_notify.cli.params import Slot, names
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import delivery_service_pb2 as pb

_GROUP = Slot("group", ["--group"], group_names, required=False)


@click.group("digest")
def digest() -> None:
    """Digests: what is gathered instead of being sent at once, and what became of it.

    Which events a group gathers, and when they are sent, is set with group update.

    \b
    Example:
      ironcore-backup notification digest list
    """


@digest.command("list")
@names(_GROUP)
@click.option("--open", "open_only", is_flag=True, help="Only those that are not sent yet.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def list_digests(group: str, open_only: bool, limit: int, output: str) -> None:
    """List digests, newest first: those that gather and when they close, and those that were sent.

    \b
    Examples:
      ironcore-backup notification digest list --open
      ironcore-backup notification digest list --group compliance
    """
    found: list[pb.DigestWindow] = []
    request = pb.ListDigestsRequest(group=group, open_only=open_only)
    with Session() as session:
        while len(found) < limit:
            request.page_size = min(1000, limit - len(found))
            answer = session.call(session.delivery.ListDigests, request)
            found += answer.digests
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    if output == "table":
        of_group = f" of group {group!r}" if group else ": group update --digest-rule makes one"
        show_digests(found, empty=f"no digests{of_group}")
    else:
        print_document([document(each) for each in found], output)


@digest.command("preview")
@click.argument("digest_id", metavar="ID", shell_complete=digest_ids)
@click.option("--html", is_flag=True, help="The HTML of a mail instead of its text.")
@output_option
def preview(digest_id: str, html: bool, output: str) -> None:
    """Show what a digest that still gathers would say now. Nothing is sent.

    \b
    Examples:
      ironcore-backup notification digest preview dig-7
      ironcore-backup notification digest preview dig-7 --html > digest.html
    """
    with Session() as session:
        request = pb.PreviewDigestRequest(digest_id=digest_id)
        shown = session.call(session.delivery.PreviewDigest, request, timeout=LONG_CALL_SECONDS)
    if output != "table":
        print_document(document(shown), output)
    elif html:
        if not shown.html:
            raise click.UsageError(f"--html: {digest_id} is no mail, or one without HTML")
        click.echo(harmless(shown.html, keep_lines=True))
    elif shown.body:
        click.echo(harmless(shown.body, keep_lines=True))
    else:
        click.echo(f"Subject: {harmless(shown.subject)}\n")
        click.echo(harmless(shown.text, keep_lines=True))


@digest.command("flush")
@click.argument("digest_id", metavar="ID", shell_complete=digest_ids)
@output_option
def flush(digest_id: str, output: str) -> None:
    """Send a digest now instead of at its time. What comes later is in the next one.

    \b
    Example:
      ironcore-backup notification digest flush dig-7
    """
    with Session() as session:
        request = pb.FlushDigestRequest(digest_id=digest_id)
        flushed = session.call(session.delivery.FlushDigest, request, timeout=LONG_CALL_SECONDS)
    if output == "table":
        click.echo(f"closed {digest_id}; it is sent as delivery {flushed.delivery_id}")
    else:
        print_document(document(flushed), output)
