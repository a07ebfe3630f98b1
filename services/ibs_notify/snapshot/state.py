"""The watched state as Config sends it: items in, a whole snapshot out."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ibs_notify.domain.target import Target
from ibs_notify.domain.templates import NO_TEMPLATE_SET
from ibs_notify.rpc.convert_config import group_from_proto, settings_from_proto, target_from_proto
from ibs_notify.rpc.convert_token import tokens_from_proto
from ibs_notify.snapshot.model import Snapshot
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import group_pb2, settings_pb2

log = logging.getLogger(__name__)


class WatchedState:
    """Everything received so far. Items of one revision are applied together."""

    def __init__(self, kept: pb.ConfigSnapshot | None = None) -> None:
        kept = kept or pb.ConfigSnapshot()
        self._targets = {each.target.uid: each for each in kept.targets}
        self._groups: dict[str, group_pb2.Group] = {each.uid: each for each in kept.groups}
        self._settings = settings_pb2.Settings()
        self._settings.CopyFrom(kept.settings)
        self._tokens = {each.token.id: each for each in kept.tokens}
        self._has_tokens = kept.has_tokens
        self._revision = kept.revision

    def apply(self, items: Iterable[pb.WatchConfigResponse], revision: int) -> None:
        """Take ``items`` in; the state is then that of ``revision``."""
        for item in items:
            match item.WhichOneof("item"):
                case "target":
                    self._targets[item.target.target.uid] = item.target
                case "deleted_target_uid":
                    self._targets.pop(item.deleted_target_uid, None)
                case "group":
                    self._groups[item.group.uid] = item.group
                case "deleted_group_uid":
                    self._groups.pop(item.deleted_group_uid, None)
                case "settings":
                    self._settings = item.settings
                case "token" if item.token.token.HasField("revoke_time"):
                    self._tokens.pop(item.token.token.id, None)
                case "token":
                    self._tokens[item.token.token.id] = item.token
                case "current" | None:
                    # An item of a later release: what this one does not know it cannot use.
                    pass
        self._revision = revision

    def to_proto(self) -> pb.ConfigSnapshot:
        """What is kept on disk."""
        return pb.ConfigSnapshot(
            revision=self._revision,
            targets=self._targets.values(),
            groups=self._groups.values(),
            settings=self._settings,
            tokens=self._tokens.values(),
            has_tokens=self._has_tokens,
        )

    def to_snapshot(self) -> Snapshot:
        """What the service works with. A target that it cannot read is named, and logged."""
        targets, unreadable = self._targets_read()
        groups = tuple(
            group_from_proto(each)
            for each in sorted(self._groups.values(), key=lambda group: group.name)
        )
        return Snapshot(
            revision=self._revision,
            settings=settings_from_proto(self._settings),
            targets=targets,
            groups=groups,
            sealed={
                uid: {secret.field: secret.ciphertext for secret in each.secrets}
                for uid, each in self._targets.items()
            },
            templates={
                each.name: each.templates for each in groups if each.templates != NO_TEMPLATE_SET
            },
            unreadable=unreadable,
            tokens=tokens_from_proto(self._tokens.values()) if self._has_tokens else None,
        )

    def _targets_read(self) -> tuple[dict[str, Target], dict[str, str]]:
        targets: dict[str, Target] = {}
        unreadable: dict[str, str] = {}
        for uid, each in self._targets.items():
            try:
                targets[uid] = target_from_proto(each.target)
            except ValueError as error:
                log.error("%s; upgrade this service", error)
                unreadable[uid] = each.target.name
        return targets, unreadable
