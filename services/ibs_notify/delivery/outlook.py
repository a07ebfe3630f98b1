"""What this process knows right now: the newest snapshot, and which targets are paused."""

from __future__ import annotations

from collections.abc import Mapping, Set

from ibs_notify.delivery.admission import (
    Admission,
    admit,
    admit_target,
    default_recipients,
    needs_recipients,
)
from ibs_notify.delivery.ports import Standing
from ibs_notify.domain.errors import Reason, Unavailable
from ibs_notify.domain.target import Target
from ibs_notify.snapshot.model import Snapshot


class Outlook:
    """Changed by the dispatcher only; read by everybody who decides about a delivery.

    ``pauses`` are the paused targets' uids with the revision that was paused. ``is_held``: nothing
    is to be sent until somebody releases the queue.
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.pauses: Mapping[str, int] = {}
        self.is_held = False

    @property
    def revision(self) -> int:
        """That of the snapshot; -1 without one."""
        return -1 if self.snapshot is None else self.snapshot.revision

    def target(self, uid: str) -> Target | None:
        """The target, where the snapshot has it and it can be read."""
        return None if self.snapshot is None else self.snapshot.targets.get(uid)

    def is_unreadable(self, uid: str) -> bool:
        """Whether the snapshot has the target, of a release that is later than this one."""
        return self.snapshot is not None and uid in self.snapshot.unreadable

    def is_deleted(self, uid: str) -> bool:
        """Whether the snapshot has no such target."""
        has_none = self.snapshot is not None and uid not in self.snapshot.targets
        return has_none and not self.is_unreadable(uid)

    def name_of(self, uid: str) -> str:
        """The target's name; its uid where the snapshot does not have it."""
        target = self.target(uid)
        if target is not None:
            return target.name
        return uid if self.snapshot is None else self.snapshot.unreadable.get(uid, uid)

    def configured_uids(self) -> Set[str]:
        """Those of all targets; ``Unavailable`` where they are not known yet."""
        if self.snapshot is None:
            raise Unavailable(Reason.NOT_READY, "Delivery has no configuration yet")
        return self.snapshot.targets.keys() | self.snapshot.unreadable.keys()

    def is_paused(self, target: Target | None) -> bool:
        """A pause holds for the revision that it was made for, and for older ones."""
        return target is not None and self.pauses.get(target.uid, -1) >= target.revision

    def admit(self, uid: str, revision: int, has_recipients: bool) -> Admission:  # noqa: FBT001  # see ports.Admit
        """See ``ports.Admit``."""
        target = self.target(uid)
        return admit(
            target,
            revision=revision,
            has_recipients=has_recipients,
            snapshot=self.snapshot,
            paused=self.is_paused(target),
            unreadable=self.is_unreadable(uid),
        )

    def standings(self) -> Mapping[str, Standing]:
        """How every target of the snapshot stands."""
        if self.snapshot is None:
            return {}
        unreadable = admit_target(None, paused=False, unreadable=True)
        return dict.fromkeys(self.snapshot.unreadable, Standing(unreadable)) | {
            uid: self._standing(target, self.snapshot)
            for uid, target in self.snapshot.targets.items()
        }

    def _standing(self, target: Target, snapshot: Snapshot) -> Standing:
        admission = admit_target(target, paused=self.is_paused(target))
        if not needs_recipients(target) or default_recipients(target, snapshot):
            return Standing(admission)
        named = {
            group.name: subscription.recipients
            for group in snapshot.groups
            for subscription in group.subscriptions
            if subscription.target == target.name and subscription.recipients
        }
        return Standing(admission, lacks_recipients=True, named=named)
