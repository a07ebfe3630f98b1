"""``notification event-types list``: the catalogue, known without a service."""

from __future__ import annotations

import click

from ibs_notify.cli.output import Table, output_option, print_document, print_table
from ibs_notify.domain.catalogue import CATALOGUE


@click.group("event-types")
def event_types() -> None:
    """The known types of events.

    \b
    Example:
      ironcore-backup notification event-types list
    """


@event_types.command("list")
@output_option
def list_types(output: str) -> None:
    """List the known types with their default severity, and whether each is good news.

    Other types of the form source.what are accepted, too.

    \b
    Example:
      ironcore-backup notification event-types list
    """
    rows = CATALOGUE.values()
    if output == "table":
        print_table(
            Table(
                ("Type", "Severity", "Outcome", "Meaning"),
                [(each.name, each.severity.label, each.outcome, each.meaning) for each in rows],
            )
        )
        return
    print_document(
        [
            {
                "type": each.name,
                "severity": each.severity.label,
                "outcome": each.outcome.value,
                "meaning": each.meaning,
            }
            for each in rows
        ],
        output,
    )
