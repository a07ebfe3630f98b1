"""``notification ledger verify``: is every event accounted for?"""

from __future__ import annotations

import sys

import click

from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import (
    Table,
    document,
    output_option,
    print_document,
    print_table,
)
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import router_service_pb2 as pb


@click.group("ledger")
def ledger() -> None:
    """The ledger: what became of every event that was accepted.

    \b
    Example:
      ironcore-backup notification ledger verify
    """


@ledger.command("verify")
@output_option
def verify(output: str) -> None:
    """Compare the books of Router and Delivery. Exit code 1 where something is unaccounted for.

    \b
    Example:
      ironcore-backup notification ledger verify
    """
    with Session() as session:
        books = session.call(
            session.router.VerifyLedger, pb.VerifyLedgerRequest(), timeout=LONG_CALL_SECONDS
        )
    if output == "table":
        _show(books)
    else:
        print_document(document(books), output)
    if not books.balanced:
        sys.exit(Exit.NOT_SO)


def _show(books: pb.VerifyLedgerResponse) -> None:
    click.echo(
        f"{books.accepted_events:,} events accepted: {books.routed_events:,} routed, "
        f"{books.unmatched_events:,} in the inbox only"
    )
    print_table(
        Table(
            ("Service", "State", "Count"),
            [(each.service, each.state, f"{each.count:,}") for each in books.lines],
            empty="no obligations",
        )
    )
    if books.balanced:
        click.echo("balanced: everything is accounted for")
        return
    click.echo(f"NOT balanced: {books.unaccounted_count:,} not accounted for")
    for each in books.unaccounted_ids:
        click.echo(f"  {harmless(each)}")
