"""What the dispatcher knows of a transport: one message in, one attempt, one Outcome out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable
from urllib.parse import quote

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.templates import NO_TEMPLATE_SET, TemplateSet
from ibs_notify.templates.context import NO_REPORTS, Report


class Verdict(StrEnum):
    """What becomes of a message or of one recipient after an attempt."""

    DELIVERED = "delivered"
    """The peer took responsibility for it."""
    RETRY = "retry"
    """Not now; the same attempt may succeed later."""
    REFUSED = "refused"
    """Never: the peer said so, or no attempt could end otherwise."""


class OutcomeReason(StrEnum):
    """Why an attempt ended as it did. Stored with the attempt, counted and shown: never renamed."""

    ACCEPTED = "ACCEPTED"
    """Delivered; of mail, to every recipient of the attempt."""
    PARTLY_ACCEPTED = "PARTLY_ACCEPTED"
    """Mail: some recipients were delivered and others not; ``Outcome.recipients`` says which."""
    DNS_FAILED = "DNS_FAILED"
    """The peer's name did not resolve."""
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    """The peer is where no target may reach (``domain.egress``). No connection was tried."""
    CONNECT_FAILED = "CONNECT_FAILED"
    """No connection: refused, unreachable, or closed before a greeting."""
    TLS_FAILED = "TLS_FAILED"
    """No trusted encryption: certificate, name or handshake. Nothing was sent."""
    STARTTLS_NOT_OFFERED = "STARTTLS_NOT_OFFERED"
    """The mail server has no STARTTLS and the target demands it. Nothing was sent."""
    AUTH_NOT_OFFERED = "AUTH_NOT_OFFERED"
    """The mail server does not offer the target's AUTH method. No credentials were sent."""
    AUTH_FAILED = "AUTH_FAILED"
    """The mail server did not take the credentials."""
    TIMEOUT = "TIMEOUT"
    """No answer within the time allowed."""
    DISCONNECTED = "DISCONNECTED"
    """The connection broke in the middle."""
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    """The peer answered something that is not its protocol."""
    SMTP_4XX = "SMTP_4XX"
    """A temporary refusal by the mail server (RFC 5321 section 4.2.1)."""
    SMTP_5XX = "SMTP_5XX"
    """A permanent refusal by the mail server."""
    SMTPUTF8_NOT_OFFERED = "SMTPUTF8_NOT_OFFERED"
    """An address is not ASCII and the mail server has no SMTPUTF8 (RFC 6531)."""
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    """The mail is larger than the server's SIZE (RFC 1870)."""
    HTTP_4XX = "HTTP_4XX"
    """The endpoint refused the request, with a status other than the ones named below."""
    HTTP_5XX = "HTTP_5XX"
    """The endpoint failed."""
    HTTP_TRY_AGAIN = "HTTP_TRY_AGAIN"
    """408 or 425: the endpoint asks for the same request again."""
    HTTP_RATE_LIMITED = "HTTP_RATE_LIMITED"
    """429: too many requests."""
    HTTP_GONE = "HTTP_GONE"
    """410: the endpoint wants no more requests. The target is to be paused."""
    PEER_REFUSED = "PEER_REFUSED"
    """2xx, but the text of the answer says that the message was not taken (see the presets)."""
    HTTP_REDIRECT = "HTTP_REDIRECT"
    """3xx: redirects are never followed, since they would take the secrets elsewhere."""
    PUSHED_ELSEWHERE = "PUSHED_ELSEWHERE"
    """Pushgateway: other replicas had the turn to push for so long that this one gave way."""
    TEMPLATE_FAILED = "TEMPLATE_FAILED"
    """The message could not be rendered: the template's result is too large."""
    MISCONFIGURED = "MISCONFIGURED"
    """The target's settings cannot work: an unusable address, URL or certificate."""
    INTERNAL = "INTERNAL"
    """A fault of ours; the log has the details."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What the mail server said of one recipient. ``reply`` is redacted, at most 1 KiB."""

    address: str
    verdict: Verdict
    code: int
    reply: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended.

    ``code`` is the peer's, 0 where it gave none; ``reply`` is what the peer said, or advice, at
    most 1 KiB of UTF-8, one line, without secrets. ``retry_after`` is the peer's wish, 0 to 24 h.
    ``pause`` asks the dispatcher to pause the whole target. ``maybe_accepted`` says that the peer
    may have accepted the message although it is to be retried: it may arrive twice, same id.
    ``recipients`` of a mail is empty, and then the verdict holds for all of them, or has one entry
    for each recipient of the attempt.
    """

    verdict: Verdict
    reason: OutcomeReason
    code: int = 0
    reply: str = ""
    retry_after: timedelta | None = None
    pause: bool = False
    maybe_accepted: bool = False
    recipients: tuple[RecipientOutcome, ...] = ()


def _no_reports() -> Mapping[str, Report]:
    return NO_REPORTS


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent. The same ``delivery_id`` and ``created_at`` on every attempt.

    ``recipients`` are those still open, to whom this attempt goes; ``all_recipients`` are those
    that the mail names in ``To``. ``created_at`` is when Delivery first accepted it (aware UTC).
    ``suppressed_count`` is how many identical events were held back; ``rows`` are the events that
    a digest or a summary stands for. ``templates`` are those of its group, which go before the
    target's; ``gathers`` says that those of digests are meant. ``sequence`` grows with acceptance;
    no two deliveries have the same one. ``reports`` is what a digest or a weekly summary says,
    under the name that templates know it by. ``group`` routed it to ``target``; ``console`` is
    where the console is for who reads the message, without a slash at its end, or empty.
    """

    delivery_id: str
    event: Event
    recipients: tuple[str, ...]
    all_recipients: tuple[str, ...]
    settings: InstallationSettings
    created_at: datetime
    suppressed_count: int = 0
    rows: tuple[Event, ...] = ()
    templates: TemplateSet = NO_TEMPLATE_SET
    gathers: bool = False
    sequence: int = 0
    reports: Mapping[str, Report] = field(default_factory=_no_reports)
    target: str = ""
    group: str = ""
    console: str = ""

    @property
    def sent(self) -> Mapping[str, str]:
        """Why it is sent, as templates know it. What no event of the inbox is has no page."""
        has_page = self.console and self.group and not self.gathers
        event_id = quote(self.event.event_id, safe="", errors="replace")
        url = f"{self.console}/events/{event_id}" if has_page else ""
        return {"target": self.target, "group": self.group, "url": url}


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a test: ``resolve``, ``connect``, ``tls``, ``auth`` or ``send``; of InfluxDB
    ``url``, ``token``, ``org`` and ``bucket`` before it, of a Pushgateway ``remove`` after it."""

    name: str
    ok: bool
    detail: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Began:
    """The step of a test that is under way now."""

    name: str


Tell: TypeAlias = Callable[[Began | Stage], None]
"""Hears of each step of a test when it begins and when it ends; must not raise."""


def untold(_news: Began | Stage) -> None:
    """For whom the stages in the end are enough."""


class Transport(Protocol):
    """One target's way out. It belongs to one lane and keeps connections between attempts."""

    concurrency: int
    """How many attempts may run at a time."""

    @property
    def certificate_until(self) -> datetime | None:
        """When the peer's certificate expires, by the last handshake; ``None`` without TLS."""
        ...

    async def attempt(self, message: Message) -> Outcome:
        """Make exactly one attempt, now, and say how it ended.

        Never raises but CancelledError; every failure is an Outcome. Never retries: a reused
        connection that is dead before anything of the message was sent is replaced, which is not
        a second attempt.
        """
        ...

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        """Make one real attempt on a fresh connection; the stages up to the first that failed.

        ``tell`` hears of each when it begins and when it ends; what it hears holds no secret.

        Never raises but CancelledError. All stages ``ok`` means that the peer accepted it.
        """
        ...

    async def close(self) -> None:
        """Close every connection. Attempts under way end as DISCONNECTED; none may follow."""
        ...


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """A transport that sends several messages of its target in one attempt."""

    async def attempt_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """As ``attempt``, for all ``messages`` together: one Outcome for each, in order."""
        ...


def overall(recipients: Sequence[RecipientOutcome]) -> Verdict:
    """The verdict on a mail: RETRY while any recipient is to be retried, else REFUSED if any was
    refused, else DELIVERED. So DELIVERED means delivered to all, REFUSED that none is open."""
    verdicts = {each.verdict for each in recipients}
    if Verdict.RETRY in verdicts:
        return Verdict.RETRY
    return Verdict.REFUSED if Verdict.REFUSED in verdicts else Verdict.DELIVERED
