"""What a form has that differs from the group as somebody else has saved it meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ibs_notify.console.groups.draft import Draft
from ibs_notify.console.targets.changes import Difference
from ibs_notify.console.wording.field_names import field_name

_ALWAYS = ("description", "scope", "rate_limit", "dedup_window", "weekly_summary", "has_digest")
_OF_DIGEST = (
    "digest_rule",
    "digest_frequency",
    "digest_time",
    "digest_weekday",
    "digest_time_zone",
    "digest_send_empty",
)


def differences(stored: Draft, written: Draft) -> list[Difference]:
    """Field by field, then target by target."""
    return [*_fields(stored, written), *_resources(stored, written), *_rows(stored, written)]


def _fields(stored: Draft, written: Draft) -> Iterator[Difference]:
    both = stored.has_digest and written.has_digest
    for name in (*_ALWAYS, *(_OF_DIGEST if both else ())):
        before, after = getattr(stored, name), getattr(written, name)
        if before != after:
            yield Difference(_label(name), _text(before), _text(after))


def _resources(stored: Draft, written: Draft) -> Iterator[Difference]:
    before = [*stored.understood().values()]
    after = [*written.understood(before).values()]
    if {*before} != {*after}:
        yield Difference(field_name("attachments"), ", ".join(before), ", ".join(after))


def _rows(stored: Draft, written: Draft) -> Iterator[Difference]:
    before = {each.target: each for each in stored.rows if each.target}
    after = {each.target: each for each in written.rows if each.target}
    for target in dict.fromkeys((*before, *after)):
        theirs, mine = before.get(target), after.get(target)
        for part in ("rule", "recipients"):
            old = getattr(theirs, part) if theirs else ""
            new = getattr(mine, part) if mine else ""
            if old.split() != new.replace(",", " ").split() and old.split() != new.split():
                yield Difference(f"{part.capitalize()} of {target}", old, new)


def _label(name: str) -> str:
    return {"has_digest": "Digest", "digest_send_empty": "Digest of nothing"}.get(
        name, field_name(name)
    )


def _text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
