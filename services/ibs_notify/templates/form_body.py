"""Bodies that are one text: form fields, XML, plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ibs_notify.templates.escaping import FORM, Escaping
from ibs_notify.templates.faults import Place
from ibs_notify.templates.json_body import encode
from ibs_notify.templates.program import Program, compile_program
from ibs_notify.templates.run import MOST_RESULT, Run, too_large


@dataclass(frozen=True, slots=True)
class TextBody:
    """A body whose values are escaped as its content type needs it."""

    program: Program

    def render(self, context: Mapping[str, Any]) -> bytes:
        """The body; see ``body.BodyTemplate``."""
        body = encode(self.program.text(Run(context)))
        if len(body) > MOST_RESULT:
            raise too_large()
        return body


def compile_text(text: str, escaping: Escaping, field: str) -> TextBody:
    """The body of ``text``; raises InvalidArgument as ``body.compile_body`` says."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if escaping is FORM:
        # The line break at the end of a file is no part of the last value.
        text = text.rstrip()
    return TextBody(compile_program(text, Place(field, text), escaping))
