"""``notification emit``: say that something happened."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from ibs_notify.cli.complete import group_names
from ibs_notify.cli.emit_stream import emit_lines
from ibs_notify.cli.emit_view import accepted_line
from ibs_notify.cli.errors import Exit
from ibs_notify.cli.files import read_text
from ibs_notify.cli.follow import follow
from ibs_notify.cli.output import document, output_option, print_document, warn_all
from ibs_notify.cli.params import duration, pair, time
from ibs_notify.cli.session import Session
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_TEXTS = (
    "event_id",
    "type",
    "subject",
    "summary",
    "task_id",
    "actor",
    "resource",
    "task_url",
    "dedup_key",
)


@click.command("emit")
@click.option("--type", help="What happened, such as backup.failed.")
@click.option(
    "--severity",
    type=click.Choice([each.label for each in Severity], case_sensitive=False),
    help="Default: the type's.",
)
@click.option("--subject", help="One line.")
@click.option("--summary", help="Some sentences.")
@click.option("--task-id", help="The task behind it.")
@click.option("--actor", help="Who did it.")
@click.option("--resource", help="What it happened to: datastore:path or /datastore/name/path.")
@click.option("--timestamp", type=time, help="When: ISO 8601, or 5m for five minutes ago.")
@click.option("--task-url", help="A page about the task.")
@click.option(
    "--link",
    type=pair,
    metavar="KEY=VALUE",
    multiple=True,
    help="Another address by name. Repeatable.",
)
@click.option(
    "--label",
    type=pair,
    metavar="KEY=VALUE",
    multiple=True,
    help="Anything else by name. Repeatable.",
)
@click.option(
    "--group", multiple=True, shell_complete=group_names, help="Tell this group. Repeatable."
)
@click.option("--dedup-key", help="What makes two events the same.")
@click.option("--event-id", help="The same id again is the same event: safe to repeat.")
@click.option("--file", type=click.Path(), help="A file with the event as JSON; flags win.")
@click.option("--stdin", is_flag=True, help="One JSON event a line, from standard input.")
@click.option(
    "--wait",
    is_flag=True,
    help="Follow its deliveries; exit code 1 where one is dead or waits for you.",
)
@click.option(
    "--timeout",
    type=duration,
    default="60s",
    show_default=True,
    help="How long --wait waits, and --stdin for a Router that went away.",
)
@output_option
def emit(
    file: str | None, stdin: bool, wait: bool, timeout: Any, output: str, **flags: Any
) -> None:
    """Say that something happened, and print its id and who will hear of it.

    The event is safely stored when this returns. With --stdin every line gets an answer, also a
    wrong one, and the exit code is 4 where one was refused; -o json prints a document a line. A
    Router that goes away is waited for, and every event is stored once.

    \b
    Examples:
      ironcore-backup notification emit --type backup.failed \\
        --subject "Backup failed for vm/12345" \\
        --summary "Task failed at chunk upload step: connection refused" \\
        --resource ibs-primary:production/vm/12345 --label site=vienna
      ironcore-backup notification emit --file event.json --wait
      ironcore-backup notification emit --stdin < events.jsonl
    """
    if stdin:
        if file or wait or any(value not in (None, ()) for value in flags.values()):
            raise click.UsageError("--stdin takes whole events: no other flag but -o")
        with Session() as session:
            refused = emit_lines(session, sys.stdin.buffer, output, timeout)
        sys.exit(Exit.REFUSED if refused else Exit.OK)
    event = _event_of(file) if file else event_pb2.Event()
    _apply(event, flags)
    if not file and not event.type:
        raise click.UsageError("what happened? Give --type, --file or --stdin")
    with Session() as session:
        answer = session.call(session.router.Emit, pb.EmitRequest(event=event))
        if output == "table":
            click.echo(accepted_line(answer))
        else:
            print_document(document(answer), output)
        warn_all(answer.warnings)
        settled = not wait or follow(session, answer.event_id, timeout, SystemClock())
    if not settled:
        sys.exit(Exit.NOT_SO)


def _event_of(file: str) -> event_pb2.Event:
    try:
        return event_from_json(read_text(file, "--file"))
    except InvalidArgument as error:
        if error.violations:
            raise
        raise InvalidArgument(error.reason, f"{file}: {error.message}") from None


def _apply(event: event_pb2.Event, flags: dict[str, Any]) -> None:
    """What was given by flags wins over the file."""
    for name in _TEXTS:
        if flags[name] is not None:
            setattr(event, name, flags[name])
    if flags["severity"] is not None:
        event.severity = event_pb2.Severity.ValueType(Severity.parse(flags["severity"]).value)
    moment: datetime | None = flags["timestamp"]
    if moment is not None:
        event.timestamp.FromDatetime(moment)
    event.links.update(flags["link"])
    event.labels.update(flags["label"])
    event.groups.extend(flags["group"])
