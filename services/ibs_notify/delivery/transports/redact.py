"""What a peer said is stored and shown to people: here it loses secrets and control characters."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from ibs_notify.templates.escaping import one_line

MOST_REPLY: Final = 1024
"""Bytes of UTF-8 that are kept of a reply."""

_MASK: Final = "****"
_SHORTEST_DERIVED: Final = 4
_SHORTEST_SEGMENT: Final = 8
_AS_GO: Final = {ord(each): f"\\u{ord(each):04x}" for each in "<>&"}
"""What Go's JSON escapes so that it is harmless in HTML."""
_USERINFO: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@]*@")
_QUERY: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")


class Redactor:
    """Makes texts safe to store: built once for a target, called for each reply."""

    def __init__(self, secrets: Iterable[str], *, username: str = "", url: str = "") -> None:
        """``username`` is what AUTH sends with the secrets; ``url`` is the target's own address.

        Its path, query and user info are secrets too, as chat services put tokens there.
        """
        forms: set[str] = set(_url_secrets(url))
        for secret in filter(None, secrets):
            forms |= _forms_of(secret, username)
        for form in tuple(forms):
            forms |= _encodings_of(form)
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """``text`` on one line, without any form of the secrets, at most ``MOST_REPLY`` bytes."""
        text = one_line(text)
        if self._pattern is not None:
            text = self._pattern.sub(_MASK, text)
        if "://" in text:
            text = _QUERY.sub(r"\1?" + _MASK, _USERINFO.sub(rf"\1{_MASK}@", text))
        return _capped(text)


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without ``secrets``, once; a Redactor is cheaper for many texts."""
    return Redactor(secrets)(text)


def shown_url(url: str) -> str:
    """The address as messages show it, ``https://host:port/…``: the rest may hold a token."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not a URL)"
    host = f"[{host}]" if ":" in host else host
    return one_line(f"{parts.scheme}://{host}{f':{port}' if port else ''}/…")


def _forms_of(secret: str, username: str) -> set[str]:
    forms = {secret, one_line(secret)}
    scheme, _, credentials = secret.strip().partition(" ")
    credentials = credentials.strip()
    if len(credentials) >= _SHORTEST_DERIVED:
        forms.add(credentials)
        if scheme.lower() == "basic":
            forms |= _basic_secrets(credentials)
    joined = (f"\0{username}\0{secret}", f"{username}:{secret}") if username else ()
    # An empty form would match everywhere.
    return {form for form in {*forms, *map(_base64, joined)} if form}


def _basic_secrets(credentials: str) -> set[str]:
    """The user and password in RFC 7617 credentials."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return set()
    password = decoded.partition(":")[2]
    return {form for form in (decoded, password) if len(form) >= _SHORTEST_DERIVED}


def _url_secrets(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return {url}
    values = [part.partition("=")[2] for part in parts.query.split("&")]
    segments = [
        part for part in (*parts.path.split("/"), *values) if len(part) >= _SHORTEST_SEGMENT
    ]
    whole = [parts.path, parts.query, parts.fragment, parts.password or ""]
    found = {form for form in (*whole, *segments) if len(form) >= _SHORTEST_DERIVED}
    return found | {unquote(form) for form in found}


def _encodings_of(secret: str) -> set[str]:
    if len(secret) < _SHORTEST_DERIVED:
        return set()
    in_json = json.dumps(secret)[1:-1]
    return {
        _base64(secret),
        _base64(secret).rstrip("="),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        in_json,
        in_json.replace("/", "\\/"),  # as PHP writes it
        in_json.translate(_AS_GO),
        html.escape(secret),
        html.escape(secret, quote=False),
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", errors="replace")).decode()


def _capped(text: str) -> str:
    if text.isascii() and len(text) <= MOST_REPLY:
        return text
    encoded = text.encode("utf-8", errors="replace")
    if len(encoded) <= MOST_REPLY:
        return encoded.decode()
    return encoded[: MOST_REPLY - 3].decode("utf-8", errors="ignore") + "…"
