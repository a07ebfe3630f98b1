"""Canaries: secrets that say where they are found, however they are written there."""

from __future__ import annotations

import base64
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MARK = "KanarieQ7"
"""Every canary begins with it, so one look finds all, and what was cut off too."""
DECOY_MARK = "LockrufQ7"
"""The decoy's own: what a database left of it, a page later, is not taken for a secret's rest."""
DECOY = "decoy"
"""What is no secret, and is called so: where it is found, a canary would have been."""
_ID = re.compile(rf"{MARK}([0-9a-z]{{0,12}})")
_AROUND = 60


def encodings(text: str) -> dict[str, bytes]:
    """How ``text`` may be written: each form holds it wherever it stands in something longer."""
    raw = text.encode()
    forms = {
        "raw": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "escaped": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "\\u": "".join(f"\\u{ord(each):04x}" for each in text).encode(),
    }
    for before in range(3):
        # The first and last characters of base64 depend on the neighbours.
        inner = base64.b64encode(bytes(before) + raw)[(before * 8 + 5) // 6 :]
        rest = (before + len(raw)) % 3
        forms[f"base64+{before}"] = inner[: -(4 - rest)] if rest else inner
    return forms


def decoy() -> str:
    """A new one, as long as a canary."""
    return f"{DECOY_MARK}{secrets.token_hex(6)}"


_MARKS = [
    (mark, form, text) for mark in (MARK, DECOY_MARK) for form, text in encodings(mark).items()
]


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary, or something that begins as one, in a surface."""

    surface: str
    form: str
    canary: str
    around: str


@dataclass(slots=True)
class Canaries:
    """All that were planted, by what they are; and other secrets, such as keys, as they are."""

    planted: dict[str, str] = field(default_factory=dict)
    _needle_forms: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.planted) + len(self._needle_forms)

    def know(self, what: str, secret: str | bytes) -> None:
        """A secret that the services made."""
        known = isinstance(secret, str)
        self._needle_forms[what] = encodings(secret) if known else {"bytes": secret}  # type: ignore[arg-type, dict-item]

    def plant(self, what: str) -> str:
        """A new one."""
        canary = f"{MARK}{secrets.token_hex(6)}"
        self.planted[canary] = what
        return canary

    def search(self, surface: str, content: bytes) -> Iterator[Hit]:
        """Where they are in ``content``; of each canary and form the first place."""
        for name, forms in self._needle_forms.items():
            for form, needle in forms.items():
                if needle in content:
                    yield Hit(surface, form, name, "")
        seen: set[tuple[str, str]] = set()
        for kind, form, mark in _MARKS:
            at = content.find(mark)
            while at >= 0:
                around = content[max(0, at - _AROUND) : at + len(mark) + _AROUND]
                found = content[at : at + 4 * (len(MARK) + 12)]
                canary = DECOY if kind == DECOY_MARK else self._named(form, found)
                if (form, canary) not in seen:
                    seen.add((form, canary))
                    yield Hit(surface, form, canary, repr(around))
                at = content.find(mark, at + 1)

    def _named(self, form: str, found: bytes) -> str:
        """What the canary that begins there is."""
        for canary, what in self.planted.items():
            if encodings(canary)[form][: len(found)] in found or (
                form == "raw" and found.startswith(canary.encode())
            ):
                return what
        match = _ID.match(found.decode(errors="replace"))
        return f"the beginning of one: {match[0]}" if match else "one of them"


@dataclass(slots=True)
class Search:
    """What was searched, and what was found there; a surface has many parts."""

    canaries: Canaries
    hits: list[Hit] = field(default_factory=list)
    parts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)

    def look(self, surface: str, content: bytes | str) -> None:
        """Search one part of a surface."""
        data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
        self.parts[surface] += 1
        self.sizes[surface] += len(data)
        self.hits.extend(self.canaries.search(surface, data))

    def look_at_files(self, surface: str, directory: Path, but: Iterable[Path] = ()) -> None:
        """Search every file under a directory."""
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path not in set(but):
                self.look(f"{surface}: {path.name}", path.read_bytes())

    def lines(self) -> Iterator[str]:
        """For people."""
        for surface, parts in sorted(self.parts.items()):
            yield f"{surface:<40} {parts:>6} parts {self.sizes[surface]:>12,} bytes"
        yield (
            f"{len(self.canaries)} canaries,"
            f" {len(self.parts)} surfaces, {sum(self.sizes.values()):,} bytes,"
            f" {len(self.hits)} places that hold one"
        )
