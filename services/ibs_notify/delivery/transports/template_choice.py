"""Which templates a message is rendered with: the group's, else the target's, else the built-in."""

from __future__ import annotations

from ibs_notify.domain.templates import Templates, TemplateSet


def mail_templates(group: TemplateSet, target: TemplateSet, *, gathers: bool) -> Templates:
    """Those of a mail; what is empty is built in.

    Text and HTML go together, so that both parts of a mail say the same. ``gathers`` is for digests
    and summaries, which have templates of their own and never those of events.
    """
    own, theirs = (group.digest, target.digest) if gathers else (group.event, target.event)
    says = own if own.text or own.html else theirs
    return Templates(subject=own.subject or theirs.subject, text=says.text, html=says.html)


def body_template(group: TemplateSet, target: TemplateSet, *, gathers: bool) -> str:
    """That of a webhook; empty for the one that is built in.

    A digest without a template of its own has that of events: its receiver understands no other.
    """
    event = group.event.body or target.event.body
    return (group.digest.body or target.digest.body or event) if gathers else event
