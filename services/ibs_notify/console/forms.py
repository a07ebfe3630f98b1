"""What a form said, and what was wrong with it, at the field it is about."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from ibs_notify.console.wording.field_names import field_name
from ibs_notify.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotificationError,
    Reason,
    ResourceExhausted,
    Unavailable,
)

_HEADER = re.compile(r"headers\[([^\]]{1,200})\]")
REFUSALS = (InvalidArgument, AlreadyExists, FailedPrecondition, Aborted)
"""What a service says no with."""
UNANSWERED = (ResourceExhausted, Unavailable)
"""What may work in a moment, with nothing changed."""
SHOWN_AGAIN = (*REFUSALS, *UNANSWERED)
"""What a form is shown again for, with what was written in it."""
_UNANSWERED_REASONS = frozenset({Reason.SERVICE_UNREACHABLE, Reason.TOO_MANY_REQUESTS})
REFUSED = 422
CONSENT = "force"
"""The box of what lets go of something, or cancels it: ``consent`` of the macros."""
_NEEDS_CONSENT = frozenset({Reason.TARGET_IN_USE, Reason.TARGET_HAS_QUEUE, Reason.GROUP_IN_USE})
ARRIVAL_SECONDS = 30.0
"""So long what a form sends may take to arrive."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent. What is not there is empty."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """What was written, without blanks around it."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """What was written, as it is but for line ends: a template, a secret."""
        found = self.values.get(name, ())
        return found[-1].replace("\r\n", "\n") if found else ""

    def texts(self, name: str) -> list[str]:
        """Every value of a field that may come several times; empty ones are left out."""
        return [each.strip() for each in self.values.get(name, ()) if each.strip()]

    def words(self, name: str) -> list[str]:
        """The lines of a field, or what commas part in it."""
        parts = self.raw(name).replace("\n", ",").split(",")
        return [each.strip() for each in parts if each.strip()]

    def is_on(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.values.get(name))

    def number(self, name: str) -> int:
        """A whole number, 0 where nothing was written. ``InvalidArgument`` names the field."""
        text = self.text(name)
        if not text:
            return 0
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InvalidArgument.of([FieldViolation(name, "is not a whole number of 0 or more")])
        return int(text)

    def choice(self, name: str, choices: Mapping[str, int], default: int = 0) -> int:
        """The number that a word of a select stands for."""
        return choices.get(self.text(name), default)


async def receive(request: web.Request) -> None:
    """Let all of a form arrive, so that what is done for it waits for nobody who sends by drops.

    Pages send text in UTF-8. Of other encodings some take minutes to read (punycode), and others
    make of it what is no text (unicode_escape).
    """
    if request.content_type.startswith("multipart/") or not _is_utf8(request.charset):
        raise web.HTTPUnsupportedMediaType(text="What was sent is no form of this console.")
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, LookupError, web.RequestPayloadError):
        raise web.HTTPBadRequest(text="What was sent is no form.") from None


async def read_form(request: web.Request) -> Form:
    """The form of a POST, which was received."""
    values: dict[str, list[str]] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, str):
            values.setdefault(name, []).append(value)
    return Form(values)


def _is_utf8(charset: str | None) -> bool:
    return (charset or "utf-8").lower() in ("utf-8", "utf8")


@dataclass(frozen=True, slots=True)
class Faults:
    """What a service refused a form for. Templates ask ``faults.of("server")`` at each field.

    ``summary`` and ``advice`` stand above the form; ``reason`` says why, as
    ``Reason.ETAG_MISMATCH`` where somebody else changed the thing meanwhile.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    advice: str = ""
    reason: Reason | None = None

    def of(self, name: str) -> str:
        """What is wrong with a field, or nothing."""
        return self.fields.get(name, "")

    @property
    def any(self) -> bool:
        return bool(self.fields or self.summary)

    @property
    def is_unanswered(self) -> bool:
        """Whether nothing is wrong with the form itself."""
        return self.reason in _UNANSWERED_REASONS


NO_FAULTS = Faults()


def faults_of(error: NotificationError, names: Mapping[str, str]) -> Faults:
    """``names`` leads from the API's paths, such as ``target.smtp.server``, to fields of the form.

    A path is matched by its longest known beginning; what matches nothing goes into the summary.
    """
    fields: dict[str, str] = {}
    left: list[str] = []
    for each in error.violations if isinstance(error, InvalidArgument) else ():
        name = _field_of(each.path, names)
        if name is None:
            left.append(f"{_called(each.path)}: {each.description}")
        else:
            fields[name] = "; ".join(filter(None, (fields.get(name, ""), each.description)))
    if not fields and not left:
        return Faults({}, error.message, error.advice, error.reason)
    summary = "; ".join(left) or "Some fields need another look."
    return Faults(fields, summary, error.advice, error.reason)


def faults_of_deletion(error: NotificationError) -> Faults:
    """Where nothing but a yes is missing, its box says so; the page says what is let go of."""
    if error.reason in _NEEDS_CONSENT:
        return Faults({CONSENT: "Nothing is deleted yet: tick this first."}, reason=error.reason)
    return faults_of(error, {})


def _called(path: str) -> str:
    """A field that the form does not have, as people call it: no path of the API."""
    if header := _HEADER.search(path):
        return f"Header {header[1]}"
    return field_name(path.rpartition(".")[2])


def _field_of(path: str, names: Mapping[str, str]) -> str | None:
    known = [each for each in names if path == each or path.startswith((f"{each}.", f"{each}["))]
    return names[max(known, key=len)] if known else None
