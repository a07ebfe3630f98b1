"""Which keys seal what Delivery keeps: the configuration, in force and on disk; gateway groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from ibs_notify.delivery.metrics import gateway_groups
from ibs_notify.delivery.metrics.gateway_groups import GatewayGroup
from ibs_notify.delivery.transports.cache import SecretOpener
from ibs_notify.domain.errors import NotificationError
from ibs_notify.secrets.envelope import key_id_of
from ibs_notify.snapshot.watcher import ConfigWatcher
from ibs_notify.store.database import Database
from ironcore.notification.v1.config_service_pb2 import ConfigSnapshot


class HeldKeys:
    """A key that is not among these may go, as far as this process is concerned."""

    def __init__(self, database: Database, watcher: ConfigWatcher, secrets: SecretOpener) -> None:
        self._database = database
        self._watcher = watcher
        self._secrets = secrets

    async def ids(self) -> frozenset[str]:
        """Their ids. What no watch brings anew, the groups of targets that are gone, is sealed with
        the newest key before."""
        groups = await self._database.read(gateway_groups.noted)
        if any(self._resealed(group) != group for group in groups):
            groups = await self._database.write(self._reseal)
        return frozenset(map(key_id_of, self._ciphertexts(groups)))

    def _ciphertexts(self, groups: Sequence[GatewayGroup]) -> Iterator[bytes]:
        yield from _in_snapshot(self._watcher.kept)
        yield from _in_snapshot(self._watcher.on_disk)
        for group in groups:
            yield from group.sealed.values()

    def _reseal(self, connection: sa.Connection) -> Sequence[GatewayGroup]:
        for group in gateway_groups.noted(connection):
            gateway_groups.note(connection, self._resealed(group))
        return gateway_groups.noted(connection)

    def _resealed(self, group: GatewayGroup) -> GatewayGroup:
        try:
            return replace(group, sealed=self._secrets.rewrap(group.target.uid, group.sealed))
        except NotificationError:
            return group  # its key is missing, or it is damaged: whoever removes it says so


def _in_snapshot(snapshot: ConfigSnapshot) -> Iterable[bytes]:
    return (secret.ciphertext for target in snapshot.targets for secret in target.secrets)
