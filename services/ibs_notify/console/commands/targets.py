"""Targets. Secrets and certificates are files there, and named for what is in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ibs_notify.console.commands.line import Flag, line
from ibs_notify.console.targets.draft import AUTH, PRESETS, PROTOCOLS, TLS, word_of
from ironcore.notification.v1.config_service_pb2 import UpdateTargetRequest
from ironcore.notification.v1.target_pb2 import Target

_FLAGS = {
    "smtp": {
        "server": "server",
        "port": "port",
        "from_address": "from",
        "auth_method": "auth-method",
        "username": "username",
        "password": "password-file",
        "tls_mode": "tls",
        "recipients": "to",
        "ca_pem": "ca-file",
    },
    "webhook": {
        "preset": "preset",
        "url": "url",
        "method": "method",
        "headers": "header-file",
        "token": "token-file",
        "account": "username",
        "sender": "from",
        "recipient": "to",
        "body_template": "body-template",
        "digest_body_template": "body-template-digest",
        "content_type": "content-type",
        "signing_secret": "signing-secret-file",
        "ca_pem": "ca-file",
    },
    "influxdb": {
        "url": "url",
        "org": "org",
        "bucket": "bucket",
        "token": "token-file",
        "ca_pem": "ca-file",
    },
    "pushgateway": {
        "url": "url",
        "job": "job",
        "username": "username",
        "password": "password-file",
        "bearer_token": "token-file",
        "ca_pem": "ca-file",
    },
}
_WORDS = {"auth_method": AUTH, "tls_mode": TLS, "preset": PRESETS}
_SECRETS = frozenset({"password", "token", "bearer_token", "signing_secret"})
_OPENERS = ("{{", "{%")
LIST = line("target", "list")


def create(target: Target) -> str:
    """``target create …``"""
    return line("target", "create", flags=[("name", target.name), *_whole(target)])


def create_stored(target: Target) -> str:
    """``target create …`` of one that there is. Its secrets, which nobody is told, are files."""
    whole = Target()
    whole.CopyFrom(target)
    kind = target.WhichOneof("kind") or "smtp"
    message = getattr(whole, kind)
    for name in _SECRETS.intersection(_FLAGS[kind]):
        if getattr(message, f"{name}_set"):
            setattr(message, name, "stored")
    return create(whole)


def update(request: UpdateTargetRequest, *, rotates: bool, again: Collection[str] = ()) -> str:
    """``target update …``; ``rotates``: a new signing secret takes the place of one; ``again``:
    the secrets that are not in the request, and without which it would be refused.
    """
    target, paths = request.target, set(request.update_mask.paths)
    flags: list[Flag] = []
    if "description" in paths:
        flags.append(("description", target.description))
    if "max_rate_per_minute" in paths:
        flags.append(("max-rate", str(target.max_rate_per_minute or "off")))
    kind = target.WhichOneof("kind") or "smtp"
    message = getattr(target, kind)
    needed = {each.partition("[")[0] for each in again}
    for name, flag in _FLAGS[kind].items():
        if name in needed and not getattr(message, name):
            flags.append((flag, _file(name)))
            continue
        if f"{kind}.{name}" not in paths:
            continue
        if name == "signing_secret" and message.signing_secret and rotates:
            flags += _rotation(request)
        elif name != "headers" or message.headers:
            flags.append((flag, _value(name, getattr(message, name))))
    flags.append(("remove-header", list(request.remove_headers)))
    return line("target", "update", target.name, flags=flags)


def plain(verb: str, name: str) -> str:
    """``target show NAME``, and the same with test, enable, disable and resume."""
    return line("target", verb, name)


def delete(name: str, *, force: bool) -> str:
    """``target delete NAME``"""
    return line("target", "delete", name, flags=[("force", force)])


def _rotation(request: UpdateTargetRequest) -> list[Flag]:
    if not request.HasField("signing_overlap"):
        return [("signing-secret-file", "SIGNING-SECRET-FILE")]
    hours = request.signing_overlap.ToTimedelta().total_seconds() // 3600
    return [("rotate-signing-secret", "SIGNING-SECRET-FILE"), ("overlap", f"{hours:.0f}h")]


def _whole(target: Target) -> list[Flag]:
    """Everything that is not as if nothing had been given."""
    kind = target.WhichOneof("kind") or "smtp"
    message = getattr(target, kind)
    protocol = word_of(PROTOCOLS, kind)
    flags: list[Flag] = [
        ("type", "metric-server" if protocol else kind),
        ("protocol", protocol or None),
        ("description", target.description or None),
        ("disabled", target.disabled),
        ("max-rate", str(target.max_rate_per_minute or "") or None),
    ]
    for name, flag in _FLAGS[kind].items():
        value = getattr(message, name)
        if value:
            flags.append((flag, _value(name, value)))
    return flags


def _value(name: str, value: Any) -> str | list[str]:
    if name in _WORDS:
        return word_of(_WORDS[name], value) or "none"
    if name == "recipients":
        return [*value] or [""]
    if not value:
        return ""
    if name in _SECRETS or name in ("headers", "ca_pem"):
        return _file(name)
    if name.endswith("_template") and not any(each in value for each in _OPENERS):
        return _file(name)
    return str(value)


def _file(name: str) -> str:
    """A name that says what belongs into the file."""
    name = {"headers": "header", "bearer_token": "token", "ca_pem": "ca"}.get(name, name)
    return f"{name.upper().replace('_', '-')}-FILE"
