"""What the audit log says of targets, groups and settings: everything but secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibs_notify.audit.document import Document, Sealed, difference, written
from ibs_notify.audit.entry import Act
from ibs_notify.audit.message import document_of
from ibs_notify.config.secret_fields import show_stored, take_secrets
from ibs_notify.config.webhook_address import fingerprint
from ibs_notify.domain.target import header_secret
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import Target
from ironcore.notification.v1.token_pb2 import Token

_STAMPS = ("etag", "revision", "create_time", "update_time", "created_by", "updated_by")
"""They change with every change; the entry itself says when and by whom."""

_TOKEN_STAMPS = ("revision", "create_time", "created_by", "revoked_by", "last_use_time")


def act_of(action: str, subject: str, before: Document | None, after: Document | None) -> Act:
    """The act that makes ``after`` of ``before``; of both, only what differs is told."""
    if before is not None and after is not None:
        before, after = difference(before, after)
    return Act(action, subject, written(before), written(after))


def group_document(group: Group) -> Document:
    """A group; it has no secrets."""
    return document_of(group, without=_STAMPS)


def settings_document(settings: Settings) -> Document:
    """The settings; they have no secrets."""
    return document_of(settings, without=_STAMPS)


def token_document(token: Token) -> Document:
    """An API token; of its secret nothing is known here."""
    return document_of(token, without=_TOKEN_STAMPS)


def target_document(target: Target, sealed: Mapping[str, bytes]) -> Document:
    """A target whose stored secrets are ``sealed``, by field.

    Of a webhook's address is told the host, and of the rest a fingerprint: it often is a secret.
    """
    bare = Target()
    bare.CopyFrom(target)
    take_secrets(bare)
    show_stored(bare, ())
    document = document_of(bare, without=_STAMPS)
    kind = bare.WhichOneof("kind")
    if kind is None:
        return document
    details: dict[str, Any] = document.setdefault(kind, {})
    if kind == "webhook":
        details["url"] = fingerprint(bare.webhook.url)
        details["headers"] = {
            header.name: _stored(sealed, header_secret(header.name))
            for header in bare.webhook.headers
        }
    for field, ciphertext in sealed.items():
        name = field.removeprefix(f"{kind}.")
        if "[" not in name:
            details[name] = Sealed(ciphertext)
    return document


def _stored(sealed: Mapping[str, bytes], field: str) -> Sealed | str:
    return Sealed(sealed[field]) if field in sealed else ""
