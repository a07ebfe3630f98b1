"""Placeholder until the branch with certificates is merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ibs_notify.domain.principal import Role, Service

_IDS: Mapping[bytes, Service | Role] = {
    **{f"spiffe://ibs-notify/{each}".encode(): each for each in Service},
    b"spiffe://ibs-notify/administrator": Role.ADMINISTRATOR,
}


def certified(auth_context: Mapping[str, Iterable[bytes]]) -> Service | Role | None:
    for each in auth_context.get("peer_spiffe_id", ()):
        return _IDS.get(each)
    return None
