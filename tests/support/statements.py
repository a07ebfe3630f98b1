"""The statements of a piece of work, as the driver sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


@contextmanager
def seen_statements(connection: sa.Connection) -> Iterator[list[tuple[str, Any]]]:
    """Those that run meanwhile, with their parameters, to be explained afterwards."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, text: str, values: Any, *_: Any) -> None:
        statements.append((text, values))

    sa.event.listen(connection, "before_cursor_execute", note)
    yield statements
    sa.event.remove(connection, "before_cursor_execute", note)
