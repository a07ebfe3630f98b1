"""Tokens between protobuf and the domain."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ibs_notify.domain.principal import UNBOUND, Bounds, Principal, Role
from ibs_notify.domain.token import KnownToken
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import config_service_pb2, token_pb2

log = logging.getLogger(__name__)

ROLES = {token_pb2.Role.Value(f"ROLE_{each.name}"): each for each in Role}
"""The domain's role by the API's number."""


def tokens_from_proto(
    messages: Iterable[config_service_pb2.WatchedToken],
) -> dict[str, KnownToken]:
    """Tokens as they are recognised, by id; one with a role of a later release is left out."""
    known: dict[str, KnownToken] = {}
    for each in messages:
        try:
            known[each.token.id] = _token_from_proto(each)
        except ValueError as error:
            log.error("%s, so it is refused; upgrade this service", error)
    return known


def _token_from_proto(message: config_service_pb2.WatchedToken) -> KnownToken:
    token = message.token
    role = ROLES.get(token.role)
    if role is None:
        raise ValueError(f"token {token.name!r} has a role that this release does not know")
    bounds = UNBOUND
    if role is Role.EMITTER:
        bounds = Bounds(tuple(token.sources), tuple(token.resources))
    return KnownToken(
        Principal(token.name, role, token.id, bounds),
        message.secret_hash,
        token.quota_per_minute,
        moment_from_proto(token.expire_time) if token.HasField("expire_time") else None,
    )
