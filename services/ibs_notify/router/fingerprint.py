"""What makes two events identical: a fingerprint of what they say, without what always varies."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from ibs_notify.domain.event import Event

FINGERPRINT_BYTES: Final = 16
PLACEHOLDER: Final = "<varies>"
SHORT: Final = 1024
"""Characters of a summary up to which a fingerprint is remembered: some MiB in all at most."""

_FRACTION = r"(?:[.,][0-9]++)?+"
_ZONE = r"(?:Z|\ ?UTC|\ ?[+-][0-9]{2}:?[0-9]{2})?"
_AMOUNT = rf"""(?:,[0-9]{{3}})*+{_FRACTION}\ ?+(?=[nuµmshdw])
    (?: [nuµm]?s | [mhd] | milliseconds? | sec(?:ond)?s? | min(?:ute)?s?
      | h(?:ou)?rs? | days? | weeks? )(?![^\W0-9])"""
_TIME = rf"""
    [0-9]{{3}}([-/])[0-9]{{2}}\1[0-9]{{2}}
        (?: [T_\ -][0-9]{{2}}[:-]?[0-9]{{2}}(?:[:-]?[0-9]{{2}}{_FRACTION})?{_ZONE} )?
        (?![0-9A-Za-z])
  | (?<=2)0[0-9]{{6}}[T_-][0-9]{{6}}{_ZONE}(?![0-9A-Za-z])
  | (?<![.:].)[0-9]{{0,2}}:[0-5][0-9]:[0-5][0-9]{_FRACTION}{_ZONE}(?!\w|:[\w:])
  | (?<![./-].)[0-9]*+{_AMOUNT}(?: (?:,?\ ?|,?\ and\ )[0-9]++{_AMOUNT} )*(?![\w-])
"""
_UPID = r"""PID(?<=UPID)(?::|%3A)[^\s\0"'<>()\[\]{},;]*"""
_LONG_HEX = r"""(?=[0-9A-Fa-f]{7})
    (?: [0-9A-Fa-f]{7}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}
      | (?<=[0-9])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{11,}+
      | (?<=[A-Fa-f])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{11,}+
    )(?![0-9A-Za-z])"""
# A pattern takes the first character of a word before it asks anything of it: the engine then
# skips to those that may begin a piece, which is twice as fast. Each branch goes on from there.
_WORD = "(?<![0-9A-Za-z].)"
_TIMES = re.compile(f"[0-9]{_WORD}(?:{_TIME})", re.VERBOSE)
_TIMES_AND_IDS = re.compile(
    f"[0-9A-Fa-fU]{_WORD}(?: {_UPID} | {_LONG_HEX} | (?<=[0-9])(?:{_TIME}))", re.VERBOSE
)
_ZERO = "\0"
_DIGIT = re.compile("[0-9]")
_HEX_TO_X = bytes(ord("x") if chr(byte) in "0123456789abcdefABCDEF" else 32 for byte in range(256))


def fingerprint(event: Event) -> bytes:
    """The same 16 bytes for events that a reader would call identical.

    They agree in type, severity, actor, canonical resource, subject and summary; the last two are
    compared as ``normalised`` where there is a resource to tell events apart by. A ``dedup_key``
    takes the place of all of it.
    """
    if event.dedup_key:
        return _hash(f"key\0{event.dedup_key}")
    content = (
        event.type,
        event.severity.value,
        event.actor,
        event.canonical_resource,
        event.subject,
        event.summary,
    )
    return _of_short(*content) if len(event.summary) <= SHORT else _of_content(*content)


def _of_content(
    kind: str, severity: int, actor: str, resource: str, subject: str, summary: str
) -> bytes:
    text = f"{subject}\0{summary}"
    if resource:
        text = normalised(text)
    # The lengths, and the zeros in the subject, say where each text ends, whatever is in it.
    return _hash(
        f"content\0{severity} {len(kind)} {len(actor)} {len(resource)}"
        f" {subject.count(_ZERO)}\0{kind}{actor}{resource}{text}"
    )


# A storm says the same again and again: that is then looked up, at an eighth of the cost.
_of_short = lru_cache(maxsize=1024)(_of_content)


def normalised(text: str) -> str:
    """``text`` with a placeholder for each piece that differs between two tellings of the same.

    These are timestamps and dates (``2026-05-21T02:14:35Z``, ``2026/05/21``, ``20260521T021435Z``,
    ``02:14:35``), durations (``1h 2m 3s``, ``12.5 s``, ``2 minutes and 3 seconds``), UUIDs, UPIDs,
    and runs of at least 12 hexadecimal digits, letters among them. Kept, since they may be the
    news: counts, sizes, percentages, versions, ids of machines, addresses, error codes such as
    ``0x80070005``, and ``02:14``, which is as likely a schedule. In doubt a piece is kept: an
    extra notification is better than a missed one.
    """
    if _DIGIT.search(text) is None:
        return text
    mask = text.encode("utf-8", "replace").translate(_HEX_TO_X)
    # A UUID too ends in twelve.
    has_ids = b"xxxxxxxxxxxx" in mask or "UPID" in text
    return (_TIMES_AND_IDS if has_ids else _TIMES).sub(PLACEHOLDER, text)


def _hash(content: str) -> bytes:
    encoded = content.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=FINGERPRINT_BYTES).digest()
