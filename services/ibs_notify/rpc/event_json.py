"""Events as the JSON of the product page: what people write, keep in files and pipe."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2

_FIELDS = tuple(field.name for field in event_pb2.Event.DESCRIPTOR.fields)
_KNOWN = {*_FIELDS, *(field.json_name for field in event_pb2.Event.DESCRIPTOR.fields)}


def event_from_json(text: str | bytes) -> event_pb2.Event:
    """The message of one JSON object with the field names of the page's payload.

    Severities are the page's words. Unknown fields and wrong types are refused by name.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(Reason.EVENT_INVALID, f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArgument(Reason.EVENT_INVALID, "an event is a JSON object")
    faults = [
        # JSON may hold half of a surrogate pair, which no terminal and no message takes.
        FieldViolation(
            name.encode(errors="replace").decode(),
            f"is no field of an event; those are {', '.join(_FIELDS)}",
        )
        for name in sorted(set(document) - _KNOWN)
    ]
    word = document.get("severity")
    if word is not None:
        try:
            document["severity"] = f"SEVERITY_{_severity(word).name}"
        except ValueError as error:
            faults.append(FieldViolation("severity", str(error)))
    if faults:
        raise InvalidArgument.of(faults, Reason.EVENT_INVALID)
    try:
        return json_format.ParseDict(document, event_pb2.Event())
    except json_format.ParseError as error:
        raise InvalidArgument(Reason.EVENT_INVALID, str(error)) from None


def _severity(word: object) -> Severity:
    if not isinstance(word, str):
        raise ValueError(f"{word!r} is not a word such as 'error'")  # noqa: TRY004  # a bad value
    return Severity.parse(word.removeprefix("SEVERITY_"))


def event_to_document(message: event_pb2.Event) -> dict[str, Any]:
    """The same the other way: only fields that are set, severity as a word."""
    document: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if message.severity:
        document["severity"] = Severity(message.severity).label
    return document
