"""The mail of a message, as it goes on the wire.

Every header is made by ``email.policy.SMTP``, which refuses line breaks and encodes what is not
ASCII; both bodies are quoted-printable. So no text of an event reaches the wire raw, and the bytes
hold neither a bare CR nor a bare LF (SMTP smuggling). Headers are folded one by one, and those that
many mails share only once: it is what a mail costs most.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import socket
from datetime import datetime
from email import policy
from email.errors import HeaderParseError, NonASCIILocalPartDefect
from email.headerregistry import Address, AddressHeader
from functools import lru_cache
from typing import Final

from ibs_notify.delivery.transports.base import Message, OutcomeReason
from ibs_notify.delivery.transports.rendering import render
from ibs_notify.delivery.transports.stages import retry
from ibs_notify.delivery.transports.template_choice import mail_templates
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import SmtpSpec
from ibs_notify.domain.templates import Templates, TemplateSet
from ibs_notify.templates.escaping import one_line
from ibs_notify.templates.mail import MailTemplates, RenderedMail

DEFAULT_SENDER_NAME: Final = "ibs-notifications"
"""Before the @ of the sender where neither target nor setting names one; the host follows it."""

_MOST_CACHED: Final = 512
_MOST_COMPILED: Final = 128
"""Sets of templates that stay compiled, of all targets and groups together."""
_UNSAFE_ID: Final = re.compile(r"[^A-Za-z0-9._-]")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_BROKEN_FOLD: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n|\r\n(?![ \t]|\Z)")
_UNQUOTED: Final = re.compile(r'([^<>"\\]*[^<>"\\ ]) *<([^<>]*)>')
_MIME_HEAD: Final = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n"

HeaderValue = str | datetime


@lru_cache(maxsize=_MOST_CACHED)
def parse_address(text: str) -> Address:
    """One mailbox, perhaps with a display name; the domain in ASCII (IDNA).

    Raises ValueError when ``text`` is anything else, such as two addresses or none.
    """
    text = one_line(text)
    if named := _UNQUOTED.fullmatch(text):
        # The parser stumbles over periods in a name that has no quotes.
        text = f'"{named[1]}" <{named[2]}>'
    try:
        header = policy.SMTP.header_factory("To", text)
        addresses = header.addresses if isinstance(header, AddressHeader) else ()
        defects = [each for each in header.defects if not isinstance(each, NonASCIILocalPartDefect)]
        if len(addresses) != 1 or defects:
            raise ValueError("not one mail address")
        found = addresses[0]
        if not found.username or not found.domain:
            raise ValueError("not of the form name@domain")
        domain = found.domain
        if not domain.isascii():
            domain = domain.encode("idna").decode()
        return Address(_unencoded(one_line(found.display_name)), found.username, domain)
    # The last three are the parser's own, for texts that are far from any address.
    except (HeaderParseError, UnicodeError, IndexError, AttributeError, TypeError) as error:
        raise ValueError("not a mail address") from error


class MailComposer:
    """Makes the mails of one target."""

    def __init__(self, templates: TemplateSet, from_address: str, local_hostname: str) -> None:
        """``templates`` are the target's own. An empty ``from_address`` means the setting
        ``sender``; where that is empty too, mail is from ``ibs-notifications@<local_hostname>``.

        Raises InvalidArgument for a template that cannot be used.
        """
        for each in (templates.event, templates.digest):
            _compiled(each)
        self._templates = templates
        self._from_address = from_address
        self._default = f"{DEFAULT_SENDER_NAME}@{local_hostname or 'localhost'}"
        self._shared_header = lru_cache(maxsize=_MOST_CACHED)(_header)

    @classmethod
    def of(cls, spec: SmtpSpec) -> MailComposer:
        """The one of a target on this machine."""
        return cls(spec.templates, spec.from_address, socket.gethostname())

    def sender(self, settings: InstallationSettings) -> Address:
        """Who the mail is from. Raises AttemptFailed (MISCONFIGURED) for an unusable address."""
        text = self._from_address or settings.sender or self._default
        try:
            return parse_address(text)
        except ValueError as error:
            raise retry(
                OutcomeReason.MISCONFIGURED,
                f"the sender {text!r} is {error}; set it with --from or the setting sender",
            ) from None

    def compose(self, message: Message, *, utf8: bool) -> bytes:
        """The mail with CRLF line ends. The same bytes for the same message.

        ``utf8`` allows addresses that are not ASCII (RFC 6531); without it ``To`` leaves them out.
        Raises AttemptFailed (TEMPLATE_FAILED) when a part comes out too large.
        """
        return self.wrap(self.render(message), message, utf8=utf8)

    def render(self, message: Message) -> RenderedMail:
        """Subject and parts of the mail. Raises as ``compose``."""
        chosen = mail_templates(message.templates, self._templates, gathers=message.gathers)
        return render(message, lambda: _compiled(chosen))

    def wrap(self, mail: RenderedMail, message: Message, *, utf8: bool) -> bytes:
        """The rendered mail with its headers."""
        sender = self.sender(message.settings)
        boundary = f"=_{_digest(message.delivery_id)}"
        return self._head(message, sender, mail.subject, boundary, utf8=utf8) + _body(
            mail, boundary
        )

    def _head(
        self, message: Message, sender: Address, subject: str, boundary: str, *, utf8: bool
    ) -> bytes:
        shared = self._shared_header
        event = message.event
        lines = [
            shared("From", str(sender), utf8=utf8),
            shared("To", _visible(message.all_recipients, utf8=utf8), utf8=utf8),
            _header("Subject", _unencoded(subject), utf8=utf8),
            _header("Date", message.created_at, utf8=utf8),
            _header("Message-ID", _identifier(message.delivery_id, sender.domain), utf8=utf8),
            shared("Auto-Submitted", "auto-generated", utf8=utf8),
        ]
        topic = event.task_id or event.canonical_resource or event.resource
        if topic:
            thread = _identifier(f"task-{_digest(topic)}", sender.domain)
            lines.append(shared("In-Reply-To", thread, utf8=utf8))
            lines.append(shared("References", thread, utf8=utf8))
        lines += [
            _header("X-IBS-Event-Id", _unencoded(one_line(event.event_id)), utf8=utf8),
            shared("X-IBS-Severity", event.severity.label, utf8=utf8),
            b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="',
            boundary.encode(),
            b'"\r\n\r\n',
        ]
        return b"".join(lines)


@lru_cache(maxsize=_MOST_COMPILED)
def _compiled(given: Templates) -> MailTemplates:
    return MailTemplates.compile(given.subject or None, given.text or None, given.html or None)


def _header(name: str, value: HeaderValue, *, utf8: bool) -> bytes:
    """One folded header. Raises ValueError rather than let a value begin another header."""
    rules = policy.SMTPUTF8 if utf8 else policy.SMTP
    folded = rules.fold_binary(*rules.header_store_parse(name, value))
    if _BROKEN_FOLD.search(folded):
        raise ValueError(f"the value of {name} does not fit a header")
    return folded


def _unencoded(text: str) -> str:
    """So that the policy decodes nothing that looks like an encoded word (RFC 2047)."""
    return text.replace("=?", "= ?")


def _visible(recipients: tuple[str, ...], *, utf8: bool) -> str:
    """``To`` with the recipients that it can name; one that cannot be is refused on its own."""
    found: list[str] = []
    for each in recipients:
        try:
            address = parse_address(each)
        except ValueError:
            continue
        if utf8 or address.username.isascii():
            found.append(str(address))
    return ", ".join(found) or "undisclosed-recipients:;"


def _body(mail: RenderedMail, boundary: str) -> bytes:
    parts = [("plain", mail.text)] + ([("html", mail.html)] if mail.html is not None else [])
    delimiter = b"--" + boundary.encode()
    pieces = []
    for subtype, text in parts:
        head = _MIME_HEAD.format(subtype, "quoted-printable").encode()
        pieces += [delimiter, b"\r\n", head, _quoted_printable(text), b"\r\n"]
    return b"".join([*pieces, delimiter, b"--\r\n"])


def _quoted_printable(text: str) -> bytes:
    # The last line break is there to stay: without any, b2a_qp would break lines by a bare LF.
    lines = _BREAK.sub("\r\n", text).rstrip("\r\n") + "\r\n"
    return binascii.b2a_qp(lines.encode("utf-8", errors="replace"), istext=True)


def _identifier(left: str, domain: str) -> str:
    return f"<{_UNSAFE_ID.sub('_', left)}@{domain}>"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:32]
