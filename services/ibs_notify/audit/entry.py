"""An entry of the audit log, and the hash that chains it to the one before it.

docs/audit.md describes the hash, so that anybody can compute it without this program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ibs_notify.domain.clock import to_micros

FORMAT = "ibs-notify-audit-1"
GENESIS = bytes(32)
"""What stands for the hash before the first entry."""
MAX_NAME = 256
"""Of an actor and of a subject, in characters."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does: ``target.update`` to ``target/ops-smtp``.

    ``before`` and ``after`` are JSON objects without secrets, as ``audit.document`` makes them;
    empty where there is none.
    """

    action: str
    subject: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An act that was done, by whom and when, and its place in the chain."""

    sequence: int
    moment: datetime
    actor: str
    act: Act
    previous_hash: bytes
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the number and the hash of its last entry."""

    sequence: int = 0
    hash: bytes = GENESIS


class Flaw(StrEnum):
    """What is wrong with an entry."""

    MISSING = "the entry is missing"
    CHANGED = "its content is not what its hash says: it was changed"
    UNLINKED = "it does not follow from the entry before it"
    BEYOND = "the log does not know of it: it was added, or the end of the log was set back"
    CUT = "the log ends before it: the end was cut off"
    OTHER = "its hash is not the known one: the log was written anew"


def seal(service: str, head: Head, actor: str, act: Act, now: datetime) -> Entry:
    """The entry that follows ``head``. NUL, which not every database keeps, is replaced."""
    entry = Entry(
        sequence=head.sequence + 1,
        moment=now,
        actor=_name(actor),
        act=replace(act, subject=_name(act.subject)),
        previous_hash=head.hash,
    )
    return replace(entry, hash=hash_of(service, entry))


def hash_of(service: str, entry: Entry) -> bytes:
    """SHA-256 over the fields as netstrings: ``5:alice,`` is a field of five bytes of UTF-8."""
    fields = (
        FORMAT,
        service,
        str(entry.sequence),
        str(to_micros(entry.moment)),
        entry.actor,
        entry.act.action,
        entry.act.subject,
        entry.act.before,
        entry.act.after,
        entry.previous_hash.hex(),
    )
    digest = hashlib.sha256()
    for field in fields:
        content = field.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b," % (len(content), content))
    return digest.digest()


def flaw_of(service: str, entry: Entry, before: Head) -> Flaw | None:
    """What is wrong with the entry that is found after ``before``; ``None`` where nothing is."""
    if entry.sequence != before.sequence + 1:
        return Flaw.MISSING
    if hash_of(service, entry) != entry.hash:
        return Flaw.CHANGED
    if entry.previous_hash != before.hash:
        return Flaw.UNLINKED
    return None


def _name(text: str) -> str:
    return text.replace("\0", _REPLACEMENT)[:MAX_NAME]
