"""What commands print: tables for people, JSON and YAML for programs, warnings on the side.

A program's document is the API's own JSON form with its field names; every field is there, but for
secrets, which no service returns, and severities are words.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.cli.options import Command
from ibs_notify.domain.harmless import UNSAFE, harmless
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import event_pb2

Document = dict[str, Any]

_SEVERITY = event_pb2.Severity.DESCRIPTOR.full_name


def output_option(command: Command) -> Command:
    """Adds ``-o``: the parameter ``output`` is table, json or yaml."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="A table for people, or a document for programs.",
    )(command)


def warn(message: str) -> None:
    """A line on standard error; the command goes on."""
    click.echo(f"warning: {harmless(message)}", err=True)


def warn_all(messages: Iterable[str]) -> None:
    """One line for each."""
    for message in messages:
        warn(message)


def document(message: Message) -> Document:
    """The message for programs, its fields in the order of the API."""
    whole: Document = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _tidied(whole, message.DESCRIPTOR)


def _tidied(whole: Document, descriptor: Any) -> Document:  # a Descriptor, of C or of Python
    names = descriptor.fields_by_name
    tidy: Document = {}
    for name, field in names.items():
        if name not in whole or f"{name}_set" in names:
            continue
        value = whole[name]
        if field.enum_type is not None and field.enum_type.full_name == _SEVERITY:
            value = value.removeprefix("SEVERITY_").lower()
        elif _holds_messages(field):
            inner = field.message_type
            if isinstance(value, list):
                value = [_tidied(each, inner) for each in value]
            else:
                value = _tidied(value, inner)
        tidy[name] = value
    return tidy


def _holds_messages(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return (
        inner is not None
        and not inner.GetOptions().map_entry
        and not inner.full_name.startswith("google.")
    )


def print_document(value: Document | list[Document], output: str) -> None:
    """Print for programs; what a terminal would obey is escaped by the format's own means."""
    if output == "json":
        click.echo(json_text(value, indent=2))
        return
    readable = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    if UNSAFE.search(readable.replace("\n", "")):
        readable = yaml.safe_dump(value, sort_keys=False, allow_unicode=False)
    click.echo(readable, nl=False)


def json_text(value: Document | list[Document], indent: int | None = None) -> str:
    """JSON that is readable in any script and harmless on any terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if indent is None:
        return _escape_in_json(text)
    return "\n".join(_escape_in_json(line) for line in text.split("\n"))


def _escape_in_json(text: str) -> str:
    def escaped(match: re.Match[str]) -> str:
        return json.dumps(match[0])[1:-1]

    return UNSAFE.sub(escaped, text)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of plain text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str = "none"


def print_table(table: Table) -> None:
    """Print for people. Nothing is cut: on a narrow terminal cells fold, in a pipe they do not."""
    if not table.rows:
        click.echo(table.empty)
        return
    # rich takes a tenth of a second to import, which programs need not wait for.
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415

    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    _draw(drawn, table.rows)


def print_fields(fields: Mapping[str, str]) -> None:
    """Print one thing: a line for each field that has a value."""
    from rich.table import Table as RichTable  # noqa: PLC0415

    drawn = RichTable.grid(padding=(0, 2))
    drawn.add_column()
    drawn.add_column(overflow="fold")
    _draw(drawn, [(f"{name}:", value) for name, value in fields.items() if value], keep_lines=True)


def _draw(drawn: Any, rows: Iterable[Sequence[str]], *, keep_lines: bool = False) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    for row in rows:
        # A Text is never read as markup.
        drawn.add_row(*(Text(harmless(cell, keep_lines=keep_lines)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    with console.capture() as captured:
        console.print(drawn, soft_wrap=False)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def paragraph(text: str, *, first: str = "", rest: str = "") -> None:
    """Print a sentence; a terminal gets lines of its width, ``rest`` before all but the ``first``.

    In a pipe it is one line, as rows of tables are.
    """
    line = harmless(text)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(
            line, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        )
    else:
        line = first + line
    click.echo(line)


def moment(stamp: Timestamp | None) -> str:
    """A time for people, UTC to the second; empty where there is none."""
    if stamp is None or not (stamp.seconds or stamp.nanos):
        return ""
    try:
        at: datetime = moment_from_proto(stamp)
    except (ValueError, OverflowError):
        return "out of range"
    return f"{at:%Y-%m-%d %H:%M:%SZ}"


def word(enum: Any, number: int, prefix: str) -> str:
    """The name of an enum's value for people: ``retry wait`` of DELIVERY_STATE_RETRY_WAIT."""
    try:
        name: str = enum.Name(number)
    except ValueError:
        return str(number)
    short = name.removeprefix(prefix).lower().replace("_", " ")
    return "" if short == "unspecified" else short


def counted(count: int, noun: str) -> str:
    """``1 event``, ``1,234 events``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def severity(number: int) -> str:
    """``error`` of SEVERITY_ERROR."""
    return word(event_pb2.Severity, number, "SEVERITY_")
