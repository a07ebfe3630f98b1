"""Parts of pages that keep themselves current: what has not changed is not sent again.

A part asks for itself every few seconds with the mark of what it shows. Where that is still so, the
answer is empty, and whatever is selected or focused in it stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from google.protobuf.message import Message

if TYPE_CHECKING:
    from ibs_notify.console.visit import Visit

KNOWN = "known"
_MARK = re.compile("[0-9a-f]{16}")
_PASSING = re.compile(r'(?<=>)[^<]*(?=</time>)|(?<=name="csrf_token" value=")[^"]*')
"""What is different each time: ages, which go on by themselves, and what proves a form ours."""


def mark_of(*shown: Message | str) -> str:
    """Of what a part shows."""
    digest = hashlib.sha256()
    for each in shown:
        text = (
            each.encode() if isinstance(each, str) else each.SerializeToString(deterministic=True)
        )
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()[:16]


def knowing(url: str, shown: str) -> str:
    """``url`` with the mark of a part of a page, as it is shown: how the part asks for itself."""
    return f"{url}{'&' if '?' in url else '?'}{KNOWN}={mark_of(_PASSING.sub('', shown))}"


def is_shown(visit: Visit, text: str) -> bool:
    """Whether ``text``, a part of a page that keeps itself current, is what the page shows."""
    mark = visit.request.query.get(KNOWN, "") if visit.is_partial else ""
    # With the quote that ends the attribute: what an event says has none that is not escaped.
    return bool(_MARK.fullmatch(mark)) and f'{KNOWN}={mark}"' in text


def is_known(visit: Visit, mark: str) -> bool:
    """Whether the visitor's page asks for what it shows already: answer it with 204."""
    return visit.is_partial and visit.request.query.get(KNOWN) == mark
