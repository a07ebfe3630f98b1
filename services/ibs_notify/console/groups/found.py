"""Where a group has a text that is looked for, and where that can be changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ibs_notify.domain.resource import canonical, datastore_of
from ibs_notify.domain.text_search import Piece, pieces
from ibs_notify.rpc.group_places import Part, Place, places_with
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_ATTACHED, Group

MOST_SHOWN = 20
"""Places of a group: of many attached resources, these are enough to see."""


@dataclass(frozen=True, slots=True)
class Line:
    """A place in words. ``field`` is that of the group's form, ``row`` the target's on its page."""

    title: str
    pieces: Sequence[Piece]
    field: str
    row: str
    is_code: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A group that has the text. ``more`` places of it are not shown."""

    name: Sequence[Piece]
    description: Sequence[Piece]
    group: Group
    lines: Sequence[Line]
    more: int


def found_in(group: Group, text: str) -> Found:
    """Its name and description as they are, and a line for each other place that has ``text``."""
    beside = (Part.NAME, Part.DESCRIPTION)
    places = [each for each in places_with(group, text) if each.part not in beside]
    return Found(
        name=pieces(group.name, text),
        description=pieces(group.description, text),
        group=group,
        lines=[_line(each, group, text) for each in places[:MOST_SHOWN]],
        more=max(0, len(places) - MOST_SHOWN),
    )


def other_spelling(text: str) -> str:
    """Of a resource as ``canonical`` spells it the short one, and the other way; else nothing."""
    place = canonical(text)
    name = datastore_of(place)
    if not name or place == "/datastore/":
        return ""
    short = f"{name}:{place.removeprefix(f'/datastore/{name}').removeprefix('/')}"
    return short if text.startswith("/") else place


def _line(place: Place, group: Group, text: str) -> Line:
    return Line(
        title=place.title,
        pieces=pieces(place.text, text),
        field=_field(place, group),
        row=f"target-{place.row}" if place.target else "facts-title",
        is_code=place.part in (Part.RULE, Part.DIGEST_RULE),
    )


def _field(place: Place, group: Group) -> str:
    match place.part:
        case Part.RULE | Part.TARGET:
            return f"f-{place.part}-{place.row}"
        case Part.RECIPIENT:
            return f"f-recipients-{place.row}"
        case Part.DIGEST_RULE:
            return "f-digest_rule"
        case Part.ATTACHMENT:
            # With another scope the form has no room for them.
            return "f-attachments" if group.scope == GROUP_SCOPE_ATTACHED else "f-scope"
        case Part.NAME | Part.DESCRIPTION:
            return "f-description"
        case _:
            assert_never(place.part)
