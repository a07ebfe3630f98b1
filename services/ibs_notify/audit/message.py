"""The API's messages as documents."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message


def document_of(message: Message, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a message that say something, by the names of the API, ``without`` some."""
    whole: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return {name: value for name, value in whole.items() if name not in without}
