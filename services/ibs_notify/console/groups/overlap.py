"""What other groups bring to a target anyhow of the events that a rule matches, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ibs_notify.console.wording.words import listed
from ironcore.notification.v1 import router_service_pb2 as pb

_NAMED: Final = 3
"""So many groups, or recipients, are named."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """``has_digest``: the group that is being written has one, too."""

    target: str
    answer: pb.PreviewOverlapResponse
    has_digest: bool = False

    @property
    def is_any(self) -> bool:
        """Whether any other group brings any of them."""
        return bool(self.answer.groups)

    def at_once(self, total: int) -> str:
        """``84 of these reach``; ``total`` is how many match, 0 where that is not known."""
        count, examined = self.answer.count, self.answer.examined
        is_whole = not self.answer.truncated or examined == total
        these = "these" if is_whole else f"the newest {examined:,}"
        if not count:
            return f"None of {these} reaches"
        if count < examined:
            return f"{count:,} of {these} {'reaches' if count == 1 else 'reach'}"
        return "It reaches" if is_whole and count == 1 else f"All of {these} reach"

    @property
    def senders(self) -> str:
        """Who sends them there at once: ``ops-team (to ops@example.com) and compliance``."""
        return _names(each for each in self.answer.groups if each.count)

    @property
    def gathered(self) -> str:
        """``12 more come``, in digests only."""
        count, more = self.answer.gathered_count, " more" if self.answer.count else ""
        return f"{count:,}{more} {'comes' if count == 1 else 'come'}"

    @property
    def gatherers(self) -> str:
        """In whose digest."""
        return _names(each for each in self.answer.groups if each.gathered_count)

    @property
    def once(self) -> str:
        """What becomes of an event that this group brings as well."""
        said = [self._once()]
        if self.answer.effect == pb.HEARING_EFFECT_TARGET_DISABLED:
            said.append("The target is disabled: what is sent there waits.")
        if self._has_digests:
            said.append("What a digest gathers is in it as well.")
        return " ".join(said)

    def _once(self) -> str:
        if self.answer.effect == pb.HEARING_EFFECT_COUNTS:
            return "It counts an event once, whichever group brings it."
        if any(each.recipient_count for each in self.answer.groups):
            return "Each recipient gets an event once, whichever group brings it."
        return "An event is sent there once, whichever group brings it."

    @property
    def _has_digests(self) -> bool:
        is_gathered = self.has_digest or any(each.gathered_count for each in self.answer.groups)
        return is_gathered and self.answer.effect != pb.HEARING_EFFECT_COUNTS


def _names(groups: Iterable[pb.OverlappingGroup]) -> str:
    found = list(groups)
    recipients = [_recipients(each) for each in found]
    if len(set(recipients)) == 1:
        return listed(_few([each.group for each in found])) + recipients[0]
    return listed(_few([f"{each.group}{to}" for each, to in zip(found, recipients, strict=True)]))


def _few(names: Sequence[str]) -> Sequence[str]:
    return [*names[:_NAMED], "others"] if len(names) > _NAMED else names


def _recipients(group: pb.OverlappingGroup) -> str:
    """`` (to ops@example.com)``; empty where it is no mail."""
    if not group.recipients:
        return ""
    named = group.recipients[:_NAMED]
    more = group.recipient_count - len(named)
    return f" (to {listed([*named, f'{more:,} more'] if more else named)})"
