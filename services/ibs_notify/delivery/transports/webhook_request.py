"""The request of a message, as it goes to the endpoint: address, headers and body.

What a preview shows comes from here too, with the secrets replaced before anything is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from ibs_notify.delivery.presets.endpoint import credentials_of, endpoint_of
from ibs_notify.delivery.transports.base import Message
from ibs_notify.delivery.transports.http_peer import user_agent
from ibs_notify.delivery.transports.redact import shown_url
from ibs_notify.delivery.transports.rendering import render
from ibs_notify.delivery.transports.signing import Signer
from ibs_notify.delivery.transports.template_choice import body_template
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.preset import NEEDS
from ibs_notify.domain.target import WebhookSpec
from ibs_notify.domain.templates import NO_TEMPLATE_SET, Templates, TemplateSet
from ibs_notify.templates.body import BodyTemplate, compile_body
from ibs_notify.templates.preset_body import preset_body

MESSAGE_ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

_MOST_COMPILED: Final = 128
"""Templates that stay compiled, of all targets and groups together."""


class WebhookComposer:
    """Makes the requests of one target."""

    def __init__(
        self,
        spec: WebhookSpec,
        header_values: Mapping[str, str],
        *,
        token: str = "",
        signer: Signer | None = None,
    ) -> None:
        """``header_values`` by header name; ``token`` is what the preset's peer knows us by.

        Raises InvalidArgument when the URL, a header or a template cannot be used.
        """
        endpoint = endpoint_of(spec)
        self._spec = spec
        self._signer = signer
        self._content_type = spec.content_type
        if spec.preset is not None:
            self._content_type = NEEDS[spec.preset].content_type
        self._templates = TemplateSet(
            Templates(body=spec.body_template), Templates(body=spec.digest_body_template)
        )
        # Only the built-in body may hold the token: one who may write templates may not read it.
        has_own = bool(spec.body_template or spec.digest_body_template)
        self._variables = {
            "token": "" if has_own else token,
            "topic": endpoint.topic,
            "account": spec.account,
            "sender": spec.sender,
            "recipient": spec.recipient,
        }
        for gathers in (False, True):
            self._template(NO_TEMPLATE_SET, gathers=gathers)
        self.method: str = spec.method or hdrs.METH_POST
        self.url = _url(endpoint.url)
        self.headers = self._fixed_headers(header_values, token)
        self.own_headers = (MESSAGE_ID, TIMESTAMP, *((SIGNATURE,) if signer else ()))

    def body(self, message: Message) -> bytes:
        """The body. Raises AttemptFailed (TEMPLATE_FAILED) when it comes out too large."""
        # A preset speaks its peer's language, which no template for a whole group can.
        group = message.templates if self._spec.preset is None else NO_TEMPLATE_SET
        return render(
            message, lambda: self._template(group, gathers=message.gathers), self._variables
        )

    def message_headers(
        self, message: Message, body: bytes, now: datetime
    ) -> list[tuple[str, str]]:
        """The headers that each request has of its own: the same id for every attempt."""
        timestamp = int(now.timestamp())
        headers = [(MESSAGE_ID, message.delivery_id), (TIMESTAMP, str(timestamp))]
        if self._signer is not None:
            signature = self._signer.signature(message.delivery_id, timestamp, body, now)
            headers.append((SIGNATURE, signature))
        return headers

    def _template(self, group: TemplateSet, *, gathers: bool) -> BodyTemplate:
        text = body_template(group, self._templates, gathers=gathers)
        if not text and self._spec.preset is not None:
            return preset_body(self._spec.preset)
        return _compiled(text, self._content_type)

    def _fixed_headers(self, values: Mapping[str, str], token: str) -> CIMultiDict[str]:
        """What every request carries. A header of the target replaces ours of the same name."""
        headers = CIMultiDict(
            {
                hdrs.USER_AGENT: user_agent(),
                hdrs.CONTENT_TYPE: self._content_type,
                hdrs.ACCEPT: "*/*",
                hdrs.ACCEPT_ENCODING: "identity",
            }
        )
        if self.url.user is not None:
            user, password = self.url.user, self.url.password or ""
            headers[hdrs.AUTHORIZATION] = aiohttp.encode_basic_auth(user, password)
        for name, value in {**credentials_of(self._spec, token), **values}.items():
            if not value.replace("\t", " ").isprintable():
                why = "the value holds a line break or control character"
                raise _unusable(f"headers[{name}]", why)
            headers[name] = value
        return headers


@lru_cache(maxsize=_MOST_COMPILED)
def _compiled(text: str, content_type: str) -> BodyTemplate:
    return compile_body(text, content_type)


def _url(text: str) -> URL:
    try:
        url = URL(text)
        if url.scheme in ("http", "https") and url.raw_host and url.port:
            return url
    except ValueError:
        pass
    raise _unusable("url", f"{shown_url(text)} is not an http or https URL")


def _unusable(field: str, why: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.FIELD_INVALID, f"{field}: {why}", violations=(FieldViolation(field, why),)
    )
