"""``emit --stdin``: events as they come, an answer for each line.

A chunk is whatever has arrived, up to the bounds of EmitBatch: a pipe that trickles is answered at
once, a file goes in whole batches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import click
import yaml

from ibs_notify.cli.emit_view import accepted_line, refused_line
from ibs_notify.cli.output import document, json_text, warn
from ibs_notify.cli.session import Session
from ibs_notify.domain.bounds import MAX_BATCH
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MAX_CHUNK_BYTES = 3 * 1024 * 1024
_READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class Tally:
    """What was answered so far."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accepted:,} accepted, {self.duplicates:,} accepted before, "
            f"{self.refused:,} refused"
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input, counted from 1: its event, or why it is none."""

    number: int
    event: event_pb2.Event | None
    fault: pb.EmitError | None = None


def emit_lines(session: Session, stream: BinaryIO, output: str) -> int:
    """Emit every line and print its answer; returns how many were refused.

    Where the service fails midway the error says so after a summary of what is stored.
    """
    tally = Tally()
    progress = sys.stderr.isatty() and not sys.stdout.isatty()
    try:
        for chunk in chunks(stream):
            for line, result in zip(chunk, _emit(session, chunk), strict=True):
                _print(line, result, output)
                _count(tally, result)
            # A program at the other end of a pipe gets each answer as soon as there is one.
            sys.stdout.flush()
            if progress:
                click.echo(f"\r{tally}", err=True, nl=False)
    except NotificationError:
        click.echo(f"{tally}; then:", err=True)
        raise
    click.echo(f"{chr(13) if progress else ''}{tally}", err=True)
    return tally.refused


def chunks(stream: BinaryIO) -> Iterator[list[Line]]:
    """Lines that arrived together, within the bounds of one batch; blank ones are skipped."""
    chunk: list[Line] = []
    size = 0
    for number, text in _lines(stream):
        if text is None or len(chunk) == MAX_BATCH:
            if chunk:
                yield chunk
            chunk, size = [], 0
        if text is None or not text.strip():
            continue
        line = _line(number, text)
        weight = line.event.ByteSize() if line.event is not None else 0
        if chunk and size + weight > MAX_CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += weight
    if chunk:
        yield chunk


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, and ``None`` where the next would have to be waited for."""
    number, rest = 0, b""
    read = getattr(stream, "read1", stream.read)
    while data := read(_READ_BYTES):
        *whole, rest = (rest + data).split(b"\n")
        for text in whole:
            number += 1
            yield number, text
        yield number, None
    if rest:
        yield number + 1, rest


def _line(number: int, text: bytes) -> Line:
    try:
        event = event_from_json(text)
    except InvalidArgument as error:
        return Line(number, None, _fault(error.message))
    if event.ByteSize() > MAX_CHUNK_BYTES:
        return Line(number, None, _fault(f"the event is over {MAX_CHUNK_BYTES} bytes"))
    return Line(number, event)


def _fault(message: str) -> pb.EmitError:
    return pb.EmitError(reason=error_reason_pb2.ERROR_REASON_EVENT_INVALID, message=message)


def _emit(session: Session, chunk: list[Line]) -> list[pb.EmitResult]:
    events = [line.event for line in chunk if line.event is not None]
    answered: Iterator[pb.EmitResult] = iter(())
    if events:
        batch = pb.EmitBatchRequest(events=events)
        answered = iter(session.call(session.router.EmitBatch, batch).results)
    return [
        next(answered) if line.event is not None else pb.EmitResult(error=line.fault)
        for line in chunk
    ]


def _count(tally: Tally, result: pb.EmitResult) -> None:
    if result.HasField("error"):
        tally.refused += 1
    elif result.accepted.duplicate:
        tally.duplicates += 1
    else:
        tally.accepted += 1


def _print(line: Line, result: pb.EmitResult, output: str) -> None:
    if output == "json":
        click.echo(json_text({"line": line.number, **document(result)}))
    elif output == "yaml":
        click.echo("---\n" + yaml.safe_dump({"line": line.number, **document(result)}), nl=False)
    elif result.HasField("error"):
        click.echo(f"line {line.number} {refused_line(result.error)}")
    else:
        click.echo(accepted_line(result.accepted))
        for each in result.accepted.warnings:
            warn(f"line {line.number}: {each}")
