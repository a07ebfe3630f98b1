"""The lines of ``emit --stdin``: events as they come, each with an id before it is first sent.

A chunk is whatever has arrived, up to the bounds of a message: a pipe that trickles is read at
once, a file in whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ibs_notify.domain.bounds import MAX_BATCH
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.event_json import event_from_json
from ironcore.notification.v1 import error_reason_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MAX_CHUNK_BYTES = 3 * 1024 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input, counted from 1: its event, or why it is none. ``size`` in bytes."""

    number: int
    event: event_pb2.Event | None
    size: int = 0
    fault: pb.EmitError | None = None


def chunks(stream: BinaryIO, next_id: Callable[[], str]) -> Iterator[list[Line]]:
    """Lines that arrived together, within the bounds of one message; blank ones are skipped."""
    chunk: list[Line] = []
    size = 0
    for number, text in _lines(stream):
        if text is None or len(chunk) == MAX_BATCH:
            if chunk:
                yield chunk
            chunk, size = [], 0
        if text is None or not text.strip():
            continue
        line = _line(number, text, next_id)
        if chunk and size + line.size > MAX_CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += line.size
    if chunk:
        yield chunk


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, and ``None`` where the next would have to be waited for.

    Of a line that is longer than any event only the beginning is kept.
    """
    number, rest = 0, b""
    # Not the buffer around it: a thread that waits in that one would keep Python from its end.
    source = getattr(stream, "raw", stream)
    read = getattr(source, "read1", source.read)
    while data := read(_READ_BYTES):
        *whole, rest = (rest + data).split(b"\n")
        for text in whole:
            number += 1
            yield number, text
        rest = rest[: MAX_LINE_BYTES + 1]
        yield number, None
    if rest:
        yield number + 1, rest


def _line(number: int, text: bytes, next_id: Callable[[], str]) -> Line:
    if len(text) > MAX_LINE_BYTES:
        return _fault(number, f"the line is over {MAX_LINE_BYTES} bytes")
    try:
        event = event_from_json(text)
    except InvalidArgument as error:
        return _fault(number, error.message)
    # Here and not by the Router, so that a repeated event is recognised.
    event.event_id = event.event_id or next_id()
    size = event.ByteSize()
    if size > MAX_CHUNK_BYTES:
        return _fault(number, f"the event is over {MAX_CHUNK_BYTES} bytes")
    return Line(number, event, size)


def _fault(number: int, message: str) -> Line:
    reason = error_reason_pb2.ERROR_REASON_EVENT_INVALID
    return Line(number, None, fault=pb.EmitError(reason=reason, message=message))
