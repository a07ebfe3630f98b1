"""What a search of groups looks at: Config finds by it, and pages and commands show where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ibs_notify.domain.text_search import contains
from ironcore.notification.v1.group_pb2 import Group


class Part(StrEnum):
    """What of a group a text is."""

    NAME = "name"
    DESCRIPTION = "description"
    ATTACHMENT = "attached resource"
    TARGET = "target"
    RULE = "rule"
    RECIPIENT = "recipient"
    DIGEST_RULE = "digest rule"


@dataclass(frozen=True, slots=True)
class Place:
    """A text of a group. ``target``: of which of its targets, where it is about one.

    ``row`` is the place of that target among the group's, from 0.
    """

    part: Part
    text: str
    target: str = ""
    row: int = 0

    @property
    def title(self) -> str:
        """``rule of chat-ops``."""
        is_target = self.part is Part.TARGET
        return f"{self.part} of {self.target}" if self.target and not is_target else self.part


def places_of(group: Group) -> Iterator[Place]:
    """All that is looked at, in the order in which a group is shown."""
    yield Place(Part.NAME, group.name)
    yield Place(Part.DESCRIPTION, group.description)
    for row, each in enumerate(group.subscriptions):
        yield Place(Part.TARGET, each.target, each.target, row)
        yield Place(Part.RULE, each.rule, each.target, row)
        for recipient in each.recipients:
            yield Place(Part.RECIPIENT, recipient, each.target, row)
    yield Place(Part.DIGEST_RULE, group.digest.rule)
    for attachment in group.attachments:
        yield Place(Part.ATTACHMENT, attachment)


def places_with(group: Group, text: str) -> Iterator[Place]:
    """Those that have ``text`` in them."""
    return (each for each in places_of(group) if contains(each.text, text))
