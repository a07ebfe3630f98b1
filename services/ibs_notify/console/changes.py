"""Parts of pages that keep themselves current: what has not changed is not sent again.

A part asks for itself every few seconds with the mark of what it shows. Where that is still so, the
answer is empty, and whatever is selected or focused in it stays as it is.
"""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message

from ibs_notify.console.visit import Visit

KNOWN = "known"


def mark_of(*shown: Message | str) -> str:
    """Of what a part shows."""
    digest = hashlib.sha256()
    for each in shown:
        text = (
            each.encode() if isinstance(each, str) else each.SerializeToString(deterministic=True)
        )
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()[:16]


def is_known(visit: Visit, mark: str) -> bool:
    """Whether the visitor's page asks for what it shows already: answer it with 204."""
    return visit.is_partial and visit.request.query.get(KNOWN) == mark
