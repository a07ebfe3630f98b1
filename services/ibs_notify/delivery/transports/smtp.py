"""Mail. Connections are kept and reused; each attempt is one mail to those still open."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import datetime
from typing import Final

from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    RecipientOutcome,
    Stage,
    Tell,
    Verdict,
    untold,
)
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.delivery.transports.mail_message import MailComposer, parse_address
from ibs_notify.delivery.transports.redact import Redactor
from ibs_notify.delivery.transports.safely import outcome_of, stages_of
from ibs_notify.delivery.transports.smtp_connection import SmtpConnection
from ibs_notify.delivery.transports.smtp_opening import COMMAND_SECONDS, SmtpOpener
from ibs_notify.delivery.transports.smtp_pool import SmtpPool
from ibs_notify.delivery.transports.smtp_transaction import Envelope, LostBeforeMail, Transaction
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.target import SmtpSpec

CONCURRENCY: Final = 4
IDLE_SECONDS: Final = 30.0
MOST_MESSAGES: Final = 100
"""Mails on one connection: servers limit them, and a fresh one finds a server that moved."""


class SmtpTransport:
    """The way to one mail server. See ``base.Transport``."""

    concurrency = CONCURRENCY

    def __init__(
        self,
        spec: SmtpSpec,
        password: str,
        clock: Clock,
        dialler: Dialler,
        *,
        idle_seconds: float = IDLE_SECONDS,
        command_seconds: float = COMMAND_SECONDS,
        most_messages: int = MOST_MESSAGES,
    ) -> None:
        """Raises InvalidArgument when the CA or a template cannot be used. Opens nothing yet."""
        host = socket.gethostname()
        self._clock = clock
        self._composer = MailComposer.of(spec)
        self._opener = SmtpOpener(
            spec, password, dialler, local_hostname=host, seconds=command_seconds
        )
        self._redact = Redactor((password,), username=spec.username)
        self._pool = SmtpPool(idle_seconds, most_messages)

    @property
    def certificate_until(self) -> datetime | None:
        return self._opener.certificate_until

    async def attempt(self, message: Message) -> Outcome:
        return await outcome_of(self._attempt(message), self._redact)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        async def run(log: StageLog) -> None:
            connection = await self._opener.open(log)
            with log.stage("send") as note:
                outcome = await self._send(connection, self._envelope(message), message)
                if outcome.verdict is not Verdict.DELIVERED:
                    raise AttemptFailed(replace(outcome, reply=_whom_it_missed(outcome)))
                note(f"{outcome.code} {outcome.reply}")

        return await stages_of(run, self._clock, self._redact, tell)

    async def close(self) -> None:
        await self._pool.close()

    async def _attempt(self, message: Message) -> Outcome:
        envelope = self._envelope(message)
        if not envelope.recipients:
            return _nobody(envelope)
        reused = self._pool.take()
        if reused is not None:
            try:
                return await self._send(reused, envelope, message)
            except LostBeforeMail:
                pass  # it died while idle; the server has seen nothing of this mail
        fresh = await self._opener.open(StageLog(self._clock))
        return await self._send(fresh, envelope, message)

    async def _send(
        self, connection: SmtpConnection, envelope: Envelope, message: Message
    ) -> Outcome:
        with self._pool.lend(connection):
            if not envelope.recipients:
                raise AttemptFailed(_nobody(envelope))
            utf8 = envelope.wants_utf8 and connection.has_smtputf8
            if not utf8:
                envelope = envelope.in_ascii()
            mail = self._composer.compose(message, utf8=utf8)
            transaction = Transaction(connection, envelope, mail, utf8=utf8)
            await transaction.begin()
            return await transaction.finish()

    def _envelope(self, message: Message) -> Envelope:
        mailboxes: dict[str, str] = {}
        unusable: list[RecipientOutcome] = []
        for each in message.recipients:
            try:
                mailboxes[each] = parse_address(each).addr_spec
            except ValueError as error:
                unusable.append(RecipientOutcome(each, Verdict.REFUSED, 0, str(error)))
        sender = self._composer.sender(message.settings).addr_spec
        return Envelope(sender, mailboxes, tuple(unusable))


def _whom_it_missed(outcome: Outcome) -> str:
    """Each recipient that the mail was not taken for, with what was said of it."""
    accepted: list[str] = []
    missed: dict[str, list[str]] = {}
    for each in outcome.recipients:
        if each.verdict is Verdict.DELIVERED:
            accepted.append(each.address)
        else:
            words = f"{each.code} {each.reply}" if each.code else each.reply
            missed.setdefault(words, []).append(each.address)
    parts = [f"{', '.join(addresses)}: {words}" for words, addresses in missed.items()]
    if accepted:
        parts.append(f"accepted for {', '.join(accepted)}")
    return "; ".join(parts) or outcome.reply


def _nobody(envelope: Envelope) -> Outcome:
    """There is no recipient that a mail could go to."""
    reply = envelope.unusable[0].reply if envelope.unusable else "the mail has no recipient"
    return Outcome(
        Verdict.REFUSED, OutcomeReason.MISCONFIGURED, reply=reply, recipients=envelope.unusable
    )
