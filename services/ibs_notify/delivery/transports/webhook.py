"""Webhooks: one request for each attempt, on connections that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from ibs_notify.delivery.redact import Redactor, shown_url
from ibs_notify.delivery.transports import dial
from ibs_notify.delivery.transports.base import Message, Outcome, OutcomeReason, Stage, Verdict
from ibs_notify.delivery.transports.http_peer import FAILURES, HttpPeer
from ibs_notify.delivery.transports.safely import outcome_of, stages_of
from ibs_notify.delivery.transports.stages import AttemptFailed, StageLog, refused, retry
from ibs_notify.delivery.transports.webhook_verdict import phrase_of, verdict_on
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.target import WebhookSpec
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import event_context

CONCURRENCY: Final = 16
TOTAL_SECONDS: Final = 30.0
_ID: Final = "webhook-id"
_TIMESTAMP: Final = "webhook-timestamp"


class WebhookTransport:
    """The way to one HTTP endpoint. See ``base.Transport``."""

    concurrency = CONCURRENCY

    def __init__(
        self,
        spec: WebhookSpec,
        header_values: Mapping[str, str],
        clock: Clock,
        *,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """``header_values`` by header name. Opens nothing yet.

        Raises InvalidArgument when the URL, a header, the template or the CA cannot be used.
        """
        self._clock = clock
        self._url = _url(spec.url)
        self._body = compile_body(spec.body_template, spec.content_type)
        secure = self._url.scheme == "https"
        self._context = dial.tls_context(spec.ca_pem) if secure else None
        self._redact = Redactor(header_values.values(), url=spec.url)
        self._shown = shown_url(spec.url)
        self._closed = False
        self._peer = HttpPeer(
            spec.method or hdrs.METH_POST,
            self._url.with_user(None),
            _headers(spec, header_values, self._url),
            own_headers=(_ID, _TIMESTAMP),
            context=self._context,
            connections=CONCURRENCY,
            total_seconds=total_seconds,
        )

    @property
    def certificate_until(self) -> datetime | None:
        return self._peer.certificate_until

    async def attempt(self, message: Message) -> Outcome:
        return await outcome_of(self._attempt(message), self._redact)

    async def test(self, message: Message) -> tuple[Stage, ...]:
        async def run(log: StageLog) -> None:
            port = self._url.port or 0
            await dial.probe(log, self._url.raw_host or "", port, self._context)
            with log.stage("send") as note:
                outcome = await self._attempt(message)
                if outcome.verdict is not Verdict.DELIVERED:
                    raise AttemptFailed(_with_code(outcome))
                note(f"{outcome.code} {outcome.reply}")

        return await stages_of(run, StageLog(self._clock), self._redact)

    async def close(self) -> None:
        self._closed = True
        await self._peer.close()

    async def _attempt(self, message: Message) -> Outcome:
        body = self._render(message)
        if self._closed:
            raise retry(OutcomeReason.DISCONNECTED, "this service is closing its connections")
        now = self._clock.now()
        headers = f"{_ID}: {message.delivery_id}\r\n{_TIMESTAMP}: {int(now.timestamp())}\r\n"
        try:
            answer = await self._peer.send(headers, body)
        except FAILURES as error:
            raise _failure(error, self._shown) from None
        reply = answer.text or answer.phrase or phrase_of(answer.status)
        return verdict_on(answer.status, answer.retry_after, self._redact(reply), now)

    def _render(self, message: Message) -> bytes:
        context = event_context(
            message.event, suppressed=message.suppressed_count, rows=message.rows
        )
        try:
            return self._body.render(context)
        except InvalidArgument as error:
            raise refused(OutcomeReason.TEMPLATE_FAILED, str(error)) from error


def _url(text: str) -> URL:
    try:
        url = URL(text)
        if url.scheme in ("http", "https") and url.raw_host and url.port:
            return url
    except ValueError:
        pass
    raise _unusable("url", f"{shown_url(text)} is not an http or https URL")


def _headers(spec: WebhookSpec, values: Mapping[str, str], url: URL) -> CIMultiDict[str]:
    """What every request carries. A header of the target replaces ours of the same name."""
    headers = CIMultiDict(
        {
            hdrs.USER_AGENT: f"ironcore-backup-notification/{metadata.version('ibs-notify')}",
            hdrs.CONTENT_TYPE: spec.content_type,
            hdrs.ACCEPT: "*/*",
            hdrs.ACCEPT_ENCODING: "identity",
        }
    )
    if url.user is not None:
        headers[hdrs.AUTHORIZATION] = aiohttp.encode_basic_auth(url.user, url.password or "")
    for name, value in values.items():
        if not value.isprintable():
            raise _unusable(f"headers[{name}]", "the value holds a line break or control character")
        headers[name] = value
    return headers


def _unusable(field: str, why: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.FIELD_INVALID, f"{field}: {why}", violations=(FieldViolation(field, why),)
    )


def _failure(error: Exception, peer: str) -> AttemptFailed:
    """The end of an attempt without an answer. Texts of aiohttp are not used: they quote URLs."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return dial.tls_failure(error.certificate_error, peer)
        case aiohttp.ClientConnectorSSLError():
            return dial.tls_failure(error.os_error, peer)
        case aiohttp.ClientConnectorDNSError():
            return retry(OutcomeReason.DNS_FAILED, f"the host of {peer} does not resolve")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or "no connection"
            return retry(OutcomeReason.CONNECT_FAILED, f"{peer}: {why}")
        case aiohttp.ConnectionTimeoutError():
            return retry(OutcomeReason.TIMEOUT, f"no connection to {peer} in time")
        case TimeoutError():
            return _maybe(OutcomeReason.TIMEOUT, f"{peer} did not answer in time")
        case HttpProcessingError():
            return _maybe(OutcomeReason.PROTOCOL_ERROR, f"{peer} answered something else than HTTP")
        case _:
            return _maybe(OutcomeReason.DISCONNECTED, f"{peer} broke the connection")


def _maybe(reason: OutcomeReason, reply: str) -> AttemptFailed:
    """The request was sent, perhaps: the endpoint may have taken it."""
    return AttemptFailed(Outcome(Verdict.RETRY, reason, reply=reply, maybe_accepted=True))


def _with_code(outcome: Outcome) -> Outcome:
    code = f"{outcome.code} " if outcome.code else ""
    return replace(outcome, reply=f"{code}{outcome.reply}")
