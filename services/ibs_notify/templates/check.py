"""Whether a template may be saved, or tried. Every fault is at its line and column."""

from __future__ import annotations

from typing import Final

from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.mail import MailTemplates

MAX_TEMPLATE_BYTES: Final = 64 * 1024
MAIL_PARTS: Final = ("subject", "text", "html")


def check_mail_part(part: str, text: str) -> None:
    """Raises InvalidArgument for a ``subject``, ``text`` or ``html`` that cannot be used.

    An empty one is none, and good.
    """
    _require_size(text, part)
    if text:
        MailTemplates.compile(**{part: text})


def check_body(text: str, content_type: str, field: str) -> None:
    """Raises InvalidArgument for a body that cannot be used with ``content_type``.

    Its violation names ``field``, or ``content_type`` where that is at fault.
    """
    _require_size(text, field)
    compile_body(text, content_type, field=field)


def _require_size(text: str, field: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEMPLATE_BYTES:
        raise InvalidArgument.of([FieldViolation(field, "is larger than 64 KiB")])
