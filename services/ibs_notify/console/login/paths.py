"""Where one logs in, and where one may be led from there."""

from __future__ import annotations

LOGIN = "/login"


def local_path(there: str) -> str:
    """``there`` where it is a path of this console; ``/`` for anything that may lead elsewhere."""
    is_path = there.startswith("/") and not there.startswith(("//", "/\\"))
    is_plain = there.isascii() and there.isprintable() and "\\" not in there
    return there if is_path and is_plain and not there.startswith((LOGIN, "/logout")) else "/"
