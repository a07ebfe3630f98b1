"""How an event would be told: made by the code that sends, with masks for the secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy

from aiohttp import hdrs

from ibs_notify.delivery.admission import default_recipients
from ibs_notify.delivery.draft import NO_DRAFT, Draft
from ibs_notify.delivery.presets.endpoint import credentials_of
from ibs_notify.delivery.reports.digest_report import ReportBuilder, ReportWindow, digest_event
from ibs_notify.delivery.reports.digest_variables import digest_variables
from ibs_notify.delivery.transports.base import Message
from ibs_notify.delivery.transports.mail_message import MailComposer
from ibs_notify.delivery.transports.redact import shown_url
from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.delivery.transports.stages import AttemptFailed
from ibs_notify.delivery.transports.webhook_request import SIGNATURE, WebhookComposer
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.target import (
    WEBHOOK_SIGNING_SECRET,
    WEBHOOK_TOKEN,
    SmtpSpec,
    Target,
    WebhookSpec,
)
from ibs_notify.domain.templates import NO_TEMPLATE_SET
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.templates.context import NO_REPORTS, Report

MASK = "****"
DELIVERY_ID = "preview"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown. ``group`` empty: with the target's templates alone.

    ``gathered``: instead of ``event``, the digest of these. ``draft`` is of the group's templates,
    without one of the target's.
    """

    target: str
    group: str
    event: Event
    recipients: tuple[str, ...] = ()
    gathers: bool = False
    gathered: tuple[Event, ...] = ()
    draft: Draft = NO_DRAFT


@dataclass(frozen=True, slots=True)
class Preview:
    """``content`` is what is sent: the body of a webhook, the whole mail. Subject and HTML are of
    mails, method and address of webhooks; ``text`` is the text of a mail or the body of a webhook.
    """

    content: bytes
    headers: Sequence[tuple[str, str]]
    method: str = ""
    url: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""


def preview(asked: Asked, snapshot: Snapshot, clock: Clock, console: str = "") -> Preview:
    """What the target would be sent; ``console`` is as of ``Message``.

    ``NotFound`` where there is no such target or group, ``InvalidArgument`` where it has no
    templates or the result is too large.
    """
    target = snapshot.target_named(asked.target)
    if target is None:
        raise NotFound(Reason.TARGET_NOT_FOUND, f"there is no target {asked.target!r}")
    asked.draft.check(target, of_group=bool(asked.group))
    if not asked.group:
        target = asked.draft.of_target(target)
    message = replace(_message(asked, target, snapshot, clock), console=console)
    return rendered(target, message, snapshot, clock)


def rendered(target: Target, message: Message, snapshot: Snapshot, clock: Clock) -> Preview:
    """``message`` as ``target`` would be sent it. ``InvalidArgument`` as of ``preview``."""
    try:
        match target.spec:
            case SmtpSpec() as spec:
                return _mail(spec, message)
            case WebhookSpec() as spec:
                return _request(spec, message, clock, snapshot.sealed.get(target.uid, {}))
            case _:
                raise InvalidArgument(
                    Reason.FIELD_INVALID,
                    f"target {target.name!r} is a metric server, which has no templates",
                    advice="preview a mail target or a webhook",
                )
    except AttemptFailed as failure:
        raise InvalidArgument(Reason.TEMPLATE_INVALID, failure.outcome.reply) from failure


def _message(asked: Asked, target: Target, snapshot: Snapshot, clock: Clock) -> Message:
    templates = NO_TEMPLATE_SET
    if asked.group:
        if all(each.name != asked.group for each in snapshot.groups):
            raise NotFound(Reason.GROUP_NOT_FOUND, f"there is no group {asked.group!r}")
        templates = asked.draft.instead_of(snapshot.templates_of(asked.group))
    recipients = asked.recipients or default_recipients(target, snapshot)
    event, reports = asked.event, NO_REPORTS
    if asked.gathered:
        event, reports = _digest(asked, snapshot, clock.now())
    return Message(
        delivery_id=DELIVERY_ID,
        event=event,
        recipients=recipients,
        all_recipients=recipients,
        settings=snapshot.settings,
        created_at=clock.now(),
        templates=templates,
        gathers=asked.gathers or bool(asked.gathered),
        reports=reports,
        target=target.name,
        group=asked.group or next(_tells(asked, snapshot), ""),
    )


def _tells(asked: Asked, snapshot: Snapshot) -> Iterator[str]:
    """The groups that have the target."""
    return (
        group.name
        for group in snapshot.groups
        if any(each.target == asked.target for each in group.subscriptions)
    )


def _digest(asked: Asked, snapshot: Snapshot, now: datetime) -> tuple[Event, Mapping[str, Report]]:
    """The digest of what was gathered, for the group that was named or one that has the target."""
    tells = _tells(asked, snapshot)
    window = ReportWindow(
        group=asked.group or next(tells, "no group yet"),
        target=asked.target,
        opened_at=min(each.timestamp for each in asked.gathered),
        closed_at=now,
        time_zone=snapshot.settings.time_zone,
    )
    builder = ReportBuilder(window)
    for each in asked.gathered:
        builder.add(each, each.timestamp)
    report = builder.build()
    return digest_event(report, DELIVERY_ID, now), {"digest": digest_variables(report)}


def _mail(spec: SmtpSpec, message: Message) -> Preview:
    composer = MailComposer.of(spec)
    mail = composer.render(message)
    utf8 = not all(each.isascii() for each in message.all_recipients)
    content = composer.wrap(mail, message, utf8=utf8)
    head = content.partition(b"\r\n\r\n")[0]
    headers = message_from_bytes(head, policy=policy.SMTPUTF8).items()
    shown = tuple((name, str(value)) for name, value in headers)
    return Preview(content, shown, subject=mail.subject, text=mail.text, html=mail.html or "")


def _request(
    spec: WebhookSpec, message: Message, clock: Clock, secrets: Collection[str]
) -> Preview:
    """``secrets`` are the fields that the target has."""
    masked = dict.fromkeys(spec.headers, MASK)
    token = MASK if WEBHOOK_TOKEN in secrets else ""
    signer = Signer(MASK.encode()) if WEBHOOK_SIGNING_SECRET in secrets else None
    composer = WebhookComposer(spec, masked, token=token, signer=signer)
    body = composer.body(message)
    own = composer.message_headers(message, body, clock.now())
    secret = {name.lower() for name in (*spec.headers, *credentials_of(spec, MASK), SIGNATURE)}
    secret.add(hdrs.AUTHORIZATION.lower())
    headers = tuple(
        (name, MASK if name.lower() in secret else value)
        for name, value in (*composer.headers.items(), *own)
    )
    url, text = shown_url(str(composer.url)), body.decode()
    return Preview(body, headers, method=composer.method, url=url, text=text)
