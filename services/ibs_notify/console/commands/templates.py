"""Templates."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ibs_notify.console.commands.line import line
from ibs_notify.console.message_templates.owner import DIGEST, Owner
from ironcore.notification.v1.group_pb2 import GroupTemplates

_ENDINGS = {"subject": "j2", "text": "j2", "html": "html", "body": "j2"}
MOST_INLINE = 120
"""Characters of a template that is written into the command; a longer one is read from a file."""
LIST = line("template", "list")


def show(name: str) -> str:
    """``template show NAME``, into the file to begin from."""
    file = f"{name.rpartition('.')[2]}.j2"
    return f"{line('template', 'show', name)} > {shlex.quote(file)}"


def update(owner: Owner, wanted: GroupTemplates, changed: Sequence[str]) -> str:
    """``target update NAME --text-template …``, for those that changed."""
    flags = [(_flag(field), _value(field, getattr(wanted, field))) for field in changed]
    return line(owner.kind, "update", owner.name, flags=flags)


def preview(target: str, group: str, event_id: str, *, digest: bool = False) -> str:
    """``template preview …``, which shows what is saved."""
    flags = [
        ("event", event_id or "event.json"),
        ("target", target),
        ("group", group or None),
        ("digest", digest),
    ]
    return line("template", "preview", flags=flags)


def file_of(field: str) -> str:
    """The file that a command reads a template from: ``digest-text.j2``."""
    return f"{field.replace('_', '-')}.{_ENDINGS[field.removeprefix(DIGEST)]}"


def is_inline(text: str) -> bool:
    """Whether a template stands in the command itself. What holds no expression is a file's name
    to the command line, so it never does."""
    is_short = len(text) <= MOST_INLINE and "\n" not in text
    return not text or (is_short and ("{{" in text or "{%" in text))


def _flag(field: str) -> str:
    part = field.removeprefix(DIGEST)
    return f"{part}-template{'-digest' if field.startswith(DIGEST) else ''}"


def _value(field: str, text: str) -> str:
    return text if is_inline(text) else file_of(field)
