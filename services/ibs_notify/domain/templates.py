"""Which templates a target or a group has of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Templates:
    """Subject, text and HTML of a mail, and the body of a webhook; an empty one is not given."""

    subject: str = ""
    text: str = ""
    html: str = ""
    body: str = ""


NO_TEMPLATES = Templates()


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """``digest`` is for what gathers events, digests and summaries; ``event`` for all else."""

    event: Templates = NO_TEMPLATES
    digest: Templates = NO_TEMPLATES


NO_TEMPLATE_SET = TemplateSet()
