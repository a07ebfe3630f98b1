"""A form of a group, and the group as somebody else has saved it meanwhile: joined. Pure.

A field's key is its name; of the digest ``digest/time``, of a target ``target/chat-ops/rule``. What
is not there on every side is one field by itself: ``digest``, ``target/chat-ops``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ibs_notify.console.groups.changes import DIGEST, FIELDS
from ibs_notify.console.groups.draft import draft_of_group
from ibs_notify.console.groups.folded import digest_words
from ibs_notify.console.overtaken import Difference, divide
from ibs_notify.console.wording.field_names import field_name
from ironcore.notification.v1 import group_pb2 as pb

_ROW: Final = ("rule", "recipients")


@dataclass(frozen=True, slots=True)
class Joined:
    """``group`` is what is stored, with what the form changed.

    ``both`` are the keys of what both changed, of which it has the form's; ``theirs`` of what only
    somebody else did.
    """

    group: pb.Group
    both: Sequence[str] = ()
    theirs: Sequence[str] = ()


def join(opened: pb.Group | None, mine: pb.Group, stored: pb.Group) -> Joined:
    """``opened`` is what the form was opened with; where that is not known, or was another group of
    the same name, both changed all that differs.
    """
    if opened is not None and opened.uid != stored.uid:
        opened = None
    group = pb.Group()
    group.CopyFrom(mine)
    group.etag = stored.etag
    before = None if opened is None else partial(_value, opened)
    keys = _keys(*(each for each in (opened, mine, stored) if each is not None))
    found = divide(keys, before, partial(_value, mine), partial(_value, stored))
    for key in found.kept:
        _take(group, stored, key)
    both, theirs = [*found.both], [*found.theirs]
    _join_attachments(group, opened, mine, stored, both, theirs)
    return Joined(group, both, theirs)


def take_stored(mine: pb.Group, stored: pb.Group, key: str) -> pb.Group:
    """``mine`` with the field of that key as it is stored; an unknown key changes nothing."""
    group = pb.Group()
    group.CopyFrom(mine)
    if key == "attachments":
        group.attachments[:] = stored.attachments
    elif key in {*_keys(mine, stored)}:
        _take(group, stored, key)
    return group


def differences(mine: pb.Group, stored: pb.Group, keys: Collection[str]) -> Sequence[Difference]:
    """Those of ``keys`` in which ``mine`` still differs, as people read them."""
    return [
        Difference(key, label(key), _text(stored, key), _text(mine, key))
        for key in (*_keys(mine, stored), "attachments")
        if key in keys and _value(stored, key) != _value(mine, key)
    ]


def label(key: str) -> str:
    """What the form calls it."""
    match key.split("/"):
        case ["target", target]:
            return f"Target {target}"
        case ["target", target, part]:
            return f"{part.capitalize()} of {target}"
        case ["digest", "send_empty"]:
            return "Digest of nothing"
        case ["digest", part]:
            return field_name(f"digest_{part}")
        case _:
            return field_name(key)


def _keys(*groups: pb.Group) -> Iterator[str]:
    """But for the attachments, which are joined one by one."""
    yield from (*FIELDS, "scope")
    if all(each.HasField("digest") for each in groups):
        yield from (f"digest/{part}" for part in DIGEST)
    else:
        yield "digest"
    names = [{each.target for each in group.subscriptions} for group in groups]
    for target in dict.fromkeys(each.target for group in groups for each in group.subscriptions):
        if all(target in each for each in names):
            yield from (f"target/{target}/{part}" for part in _ROW)
        else:
            yield f"target/{target}"


def _value(group: pb.Group, key: str) -> object:
    """None for what it has not."""
    match key.split("/"):
        case ["digest"]:
            return group.digest if group.HasField("digest") else None
        case ["digest", part]:
            return getattr(group.digest, part)
        case ["target", target]:
            row = _row(group, target)
            return None if row is None else (row.rule, [*row.recipients])
        case ["target", target, part]:
            return getattr(_row(group, target), part)
        case _:
            return getattr(group, key)


def _take(group: pb.Group, source: pb.Group, key: str) -> None:
    match key.split("/"):
        case ["digest"]:
            group.ClearField("digest")
            if source.HasField("digest"):
                group.digest.CopyFrom(source.digest)
        case ["digest", part]:
            setattr(group.digest, part, getattr(source.digest, part))
        case ["target", target, *parts]:
            _take_row(group, _row(source, target), target, parts)
        case ["dedup_window"]:
            group.dedup_window.CopyFrom(source.dedup_window)
        case _:
            setattr(group, key, getattr(source, key))


def _take_row(
    group: pb.Group, stored: pb.Subscription | None, target: str, parts: Collection[str]
) -> None:
    """The whole row, or those ``parts`` of it."""
    mine = _row(group, target)
    if stored is None:
        if mine is not None:
            group.subscriptions.remove(mine)
        return
    if mine is None:
        mine = group.subscriptions.add(target=target)
    if "rule" in (parts or _ROW):
        mine.rule = stored.rule
    if "recipients" in (parts or _ROW):
        mine.recipients[:] = stored.recipients


def _row(group: pb.Group, target: str) -> pb.Subscription | None:
    return next((each for each in group.subscriptions if each.target == target), None)


def _join_attachments(
    group: pb.Group,
    opened: pb.Group | None,
    mine: pb.Group,
    stored: pb.Group,
    both: list[str],
    theirs: list[str],
) -> None:
    """What was attached and detached in the form is, of what is attached now."""
    if opened is None:
        if {*mine.attachments} != {*stored.attachments}:
            both.append("attachments")
        return
    before, now = {*opened.attachments}, {*stored.attachments}
    mine_now = {*mine.attachments}
    kept = [each for each in stored.attachments if each in mine_now or each not in before]
    added = [each for each in mine.attachments if each not in before and each not in now]
    group.attachments[:] = [*kept, *added]
    if now not in (before, mine_now):
        theirs.append("attachments")


def _text(group: pb.Group, key: str) -> str:
    draft = draft_of_group(group)
    match key.split("/"):
        case ["digest"]:
            rule = f": {draft.digest_rule}" if draft.has_digest else ""
            return f"{digest_words(draft)}{rule}"
        case ["digest", part]:
            return _plain(getattr(draft, f"digest_{part}"))
        case ["target", target]:
            row = _row(group, target)
            return "not in the group" if row is None else " ".join([row.rule, *row.recipients])
        case ["target", target, part]:
            value = getattr(_row(group, target), part)
            return value if isinstance(value, str) else ", ".join(value)
        case ["rate_limit_per_minute"]:
            return draft.rate_limit
        case _:
            return _plain(getattr(draft, key))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(value).splitlines())
