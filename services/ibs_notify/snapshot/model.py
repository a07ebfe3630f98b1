"""One state of the configuration, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ibs_notify.domain.group import Group, InstallationSettings
from ibs_notify.domain.target import Target
from ibs_notify.domain.templates import NO_TEMPLATE_SET, TemplateSet
from ibs_notify.domain.token import KnownToken


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``targets`` and ``sealed`` are by target uid; ``sealed`` is empty unless secrets are watched.

    ``sealed`` holds ciphertexts by secret field, such as ``smtp.password``; ``templates`` those of
    groups that have some of their own, by the group's name. ``unreadable`` are the names, by uid,
    of targets of a later release: they are there, and no more is known of them here. ``tokens`` are
    those that are not revoked, by their ids; ``None`` unless they are watched.
    """

    revision: int
    settings: InstallationSettings = field(default_factory=InstallationSettings)
    targets: Mapping[str, Target] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    sealed: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    templates: Mapping[str, TemplateSet] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, KnownToken] | None = None

    def target_named(self, name: str) -> Target | None:
        """The target of that name, if there is one."""
        return next((target for target in self.targets.values() if target.name == name), None)

    def templates_of(self, group: str) -> TemplateSet:
        """The templates of a group of its own; none of one that there is not."""
        return self.templates.get(group, NO_TEMPLATE_SET)
