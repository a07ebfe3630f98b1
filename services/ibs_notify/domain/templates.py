"""Which templates a target or a group has of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Templates:
    """Subject, text and HTML of a mail, and the body of a webhook; an empty one is not given."""

    subject: str = ""
    text: str = ""
    html: str = ""
    body: str = ""

    def before(self, others: Templates) -> Templates:
        """These, and those of ``others`` that are not given here."""
        names = [each.name for each in fields(self)]
        return Templates(**{name: getattr(self, name) or getattr(others, name) for name in names})


NO_TEMPLATES = Templates()


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """``digest`` is for what gathers events, digests and summaries; ``event`` for all else."""

    event: Templates = NO_TEMPLATES
    digest: Templates = NO_TEMPLATES

    def before(self, others: TemplateSet) -> TemplateSet:
        """These, and those of ``others`` that are not given here."""
        return TemplateSet(self.event.before(others.event), self.digest.before(others.digest))


NO_TEMPLATE_SET = TemplateSet()
