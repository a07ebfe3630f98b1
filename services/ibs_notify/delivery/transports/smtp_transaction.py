"""One mail on an open connection: MAIL, RCPT for each, DATA, and what it means for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiosmtplib import SMTPResponse
from aiosmtplib.errors import SMTPServerDisconnected, SMTPTimeoutError

from ibs_notify.delivery.transports.base import (
    Outcome,
    OutcomeReason,
    RecipientOutcome,
    Verdict,
    overall,
)
from ibs_notify.delivery.transports.smtp_connection import SmtpConnection, failure, judge
from ibs_notify.delivery.transports.stages import AttemptFailed, refused

_CLOSING = 421
_TOO_MANY_RECIPIENTS = 552


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a mail is from and to. ``recipients`` maps what the message calls them to mailboxes."""

    sender: str
    recipients: dict[str, str]
    unusable: tuple[RecipientOutcome, ...] = ()

    @property
    def wants_utf8(self) -> bool:
        """Whether an address needs SMTPUTF8: a name before the @ that is not ASCII."""
        return not self.sender.isascii() or not all(map(str.isascii, self.recipients.values()))

    def in_ascii(self) -> Envelope:
        """What of it a server without SMTPUTF8 can be given. Raises AttemptFailed if nothing."""
        advice = "the mail server has no SMTPUTF8; use an address in ASCII"
        if not self.sender.isascii():
            raise refused(OutcomeReason.SMTPUTF8_NOT_OFFERED, f"{advice} for the sender")
        left_out = tuple(
            RecipientOutcome(name, Verdict.REFUSED, 0, advice)
            for name, mailbox in self.recipients.items()
            if not mailbox.isascii()
        )
        kept = {name: box for name, box in self.recipients.items() if box.isascii()}
        if not kept:
            raise refused(OutcomeReason.SMTPUTF8_NOT_OFFERED, advice)
        return Envelope(self.sender, kept, self.unusable + left_out)


class LostBeforeMail(AttemptFailed):
    """The connection was dead before the server saw any of the mail: a fresh one may serve."""


class Transaction:
    """One mail. ``begin``, then ``finish``."""

    def __init__(
        self, connection: SmtpConnection, envelope: Envelope, mail: bytes, *, utf8: bool
    ) -> None:
        self._connection = connection
        self._envelope = envelope
        self._mail = mail
        self._utf8 = utf8
        self._judged = list(envelope.unusable)

    async def begin(self) -> None:
        """MAIL. Raises AttemptFailed where the server refuses it, or LostBeforeMail."""
        most = self._connection.most_bytes
        if most is not None and len(self._mail) > most:
            raise refused(
                OutcomeReason.MESSAGE_TOO_LARGE,
                f"the mail has {len(self._mail)} bytes; the server takes {most}",
            )
        try:
            answer = await self._connection.mail(
                self._envelope.sender, len(self._mail), utf8=self._utf8
            )
        except SMTPServerDisconnected as error:
            raise LostBeforeMail(failure(error).outcome) from None
        except SMTPTimeoutError as error:
            raise failure(error) from None
        if judge(answer.code)[0] is not Verdict.DELIVERED:
            self._judge(self._envelope.recipients, answer)
            outcome = await self._rejected()
            raise LostBeforeMail(outcome) if answer.code == _CLOSING else AttemptFailed(outcome)

    async def finish(self) -> Outcome:
        """RCPT, DATA and the mail. Leaves the connection clean or closed."""
        try:
            accepted = await self._name_recipients()
            if not accepted:
                return await self._rejected()
            answer = await self._connection.data(self._mail)
        except (SMTPServerDisconnected, SMTPTimeoutError) as error:
            return self._broken_off(error)
        verdict, reason = judge(answer.code)
        if self._connection.dot_sent:
            self._judge(accepted, answer)
            if reason is OutcomeReason.PROTOCOL_ERROR:
                self._connection.abort()
                return self._outcome(maybe_accepted=True)
            return self._outcome()
        if verdict is Verdict.DELIVERED:
            # A server that says OK to DATA, where 354 belongs, has taken nothing.
            answer = SMTPResponse(0, f"unexpected answer to DATA: {answer.code}")
        self._judge(accepted, answer)
        return await self._rejected()

    async def _name_recipients(self) -> list[str]:
        accepted: list[str] = []
        names = list(self._envelope.recipients)
        for index, name in enumerate(names):
            answer = await self._connection.rcpt(self._envelope.recipients[name], utf8=self._utf8)
            if answer.code == _CLOSING:
                self._judge([*accepted, *names[index:]], answer)
                return []
            if judge(answer.code)[0] is Verdict.DELIVERED:
                accepted.append(name)
            elif answer.code == _TOO_MANY_RECIPIENTS and accepted:
                # RFC 5321 section 4.5.3.1.10: then it means 452, the rest next time.
                self._judge([name], answer, verdict=Verdict.RETRY)
            else:
                self._judge([name], answer)
        return accepted

    async def _rejected(self) -> Outcome:
        if self._connection.usable:
            await self._connection.reset()
        return self._outcome()

    def _judge(
        self, names: Iterable[str], answer: SMTPResponse, *, verdict: Verdict | None = None
    ) -> None:
        verdict = verdict or judge(answer.code)[0]
        for name in names:
            self._judged.append(RecipientOutcome(name, verdict, answer.code, answer.message))

    def _broken_off(self, error: Exception) -> Outcome:
        """The connection broke: whom the server has not refused yet is to be tried again."""
        self._connection.abort()
        ended = failure(error).outcome
        known = {each.address for each in self._judged}
        rest = [name for name in self._envelope.recipients if name not in known]
        self._judged += [RecipientOutcome(each, Verdict.RETRY, 0, ended.reply) for each in rest]
        return Outcome(
            Verdict.RETRY,
            ended.reason,
            reply=ended.reply,
            maybe_accepted=self._connection.dot_sent,
            recipients=tuple(self._judged),
        )

    def _outcome(self, *, maybe_accepted: bool = False) -> Outcome:
        recipients = tuple(self._judged)
        verdict = overall(recipients)
        decisive = next(each for each in recipients if each.verdict is verdict)
        if verdict is Verdict.DELIVERED:
            reason = OutcomeReason.ACCEPTED
        elif any(each.verdict is Verdict.DELIVERED for each in recipients):
            reason = OutcomeReason.PARTLY_ACCEPTED
        else:
            reason = _reason(decisive)
        return Outcome(
            verdict,
            reason,
            decisive.code,
            decisive.reply,
            maybe_accepted=maybe_accepted,
            recipients=recipients,
        )


def _reason(decisive: RecipientOutcome) -> OutcomeReason:
    """Why nobody got it. Without a code it was an address that could not even be sent."""
    if decisive.verdict is Verdict.RETRY and decisive.code == _TOO_MANY_RECIPIENTS:
        return OutcomeReason.SMTP_4XX
    if decisive.verdict is Verdict.REFUSED and decisive.code == 0:
        return OutcomeReason.MISCONFIGURED
    return judge(decisive.code)[1]
