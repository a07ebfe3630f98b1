"""Text of events and peers made safe for a terminal and a log: it is shown, it never acts."""

from __future__ import annotations

import re

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, escape sequences among them
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, bidi
    "\ud800-\udfff\U000e0000-\U000e007f]"  # surrogates and tags
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str, *, keep_lines: bool = False) -> str:
    r"""``text`` with what a terminal would obey or hide written out, such as ``\x1b``.

    ``keep_lines`` lets line feeds through, for messages that have several lines.
    """

    def written(match: re.Match[str]) -> str:
        character = match[0]
        if keep_lines and character == "\n":
            return character
        code = ord(character)
        spelled = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
        return _SHORT.get(character, spelled)

    return UNSAFE.sub(written, text)
