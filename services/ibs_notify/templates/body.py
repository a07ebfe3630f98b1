"""Webhook bodies: the content type decides which engine reads a template and how values are made
safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.event import Event
from ibs_notify.templates.context import payload_of, standard_payload
from ibs_notify.templates.escaping import FORM, PLAIN, XML, Escaping
from ibs_notify.templates.form_body import compile_text
from ibs_notify.templates.json_body import compile_json, encode
from ibs_notify.templates.run import to_json

_TEXT_TYPES: Final[Mapping[str, Escaping]] = {
    "application/x-www-form-urlencoded": FORM,
    "text/plain": PLAIN,
    "application/xml": XML,
    "text/xml": XML,
}
_ADVICE: Final = (
    "use application/json, another type that ends in +json, application/x-www-form-urlencoded, "
    "text/plain, application/xml, or another type that ends in +xml"
)


class BodyTemplate(Protocol):
    """A webhook body, ready to be rendered for any event."""

    def render(self, context: Mapping[str, Any]) -> bytes:
        """The body in UTF-8 for the variables of ``context.event_context``.

        Raises InvalidArgument (TEMPLATE_INVALID) when the result is larger than 256 KiB or takes
        too much work; no event makes it fail otherwise.
        """
        ...


class StandardBody:
    """The product's standard payload: the body of a webhook that has no template."""

    def render(self, context: Mapping[str, Any]) -> bytes:
        return encode(to_json(payload_of(context)))


def standard_body(event: Event) -> bytes:
    """The standard payload of ``event`` as compact JSON."""
    return encode(to_json(standard_payload(event)))


def compile_body(
    text: str, content_type: str = "application/json", *, field: str = "body_template"
) -> BodyTemplate:
    """The body that ``text`` describes; an empty text is the standard payload (JSON types only).

    Raises InvalidArgument with line, column and the likeliest fix, or for a content type whose
    escaping is not known. ``field`` names the template in the error.
    """
    media_type = _media_type(content_type)
    if media_type.endswith(("/json", "+json")):
        return compile_json(text, field) if text.strip() else StandardBody()
    escaping = XML if media_type.endswith("+xml") else _TEXT_TYPES.get(media_type)
    if escaping is None:
        raise _refused(f"no escaping is known for the content type {content_type!r}", _ADVICE)
    if not text.strip():
        raise InvalidArgument(
            Reason.TEMPLATE_INVALID,
            f"a body of {media_type} needs a template",
            advice="give a body template, or use application/json for the standard payload",
            violations=(FieldViolation(field, "is required for this content type"),),
        )
    return compile_text(text, escaping, field)


def _media_type(content_type: str) -> str:
    media_type, _, parameters = content_type.lower().partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "charset" and value.strip('" ') not in ("utf-8", "utf8"):
            raise _refused(f"bodies are sent in UTF-8, not in {value}", "leave the charset out")
    return media_type.strip()


def _refused(message: str, advice: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.FIELD_INVALID,
        f"content_type: {message}",
        advice=advice,
        violations=(FieldViolation("content_type", message),),
    )
