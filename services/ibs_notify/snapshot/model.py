"""One state of the configuration, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ibs_notify.domain.group import Group, InstallationSettings
from ibs_notify.domain.target import Target


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``targets`` and ``sealed`` are by target uid; ``sealed`` is empty unless secrets are watched.

    ``sealed`` holds ciphertexts by secret field, such as ``smtp.password``.
    """

    revision: int
    settings: InstallationSettings = field(default_factory=InstallationSettings)
    targets: Mapping[str, Target] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    sealed: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def target_named(self, name: str) -> Target | None:
        """The target of that name, if there is one."""
        return next((target for target in self.targets.values() if target.name == name), None)
