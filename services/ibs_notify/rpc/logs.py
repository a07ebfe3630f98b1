"""One line for each log record, to standard error."""

from __future__ import annotations

import logging


def configure_logging(service: str, level: str) -> None:
    """``level`` is debug, info, warning or error; ``service`` opens each line."""
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s {service} %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    # It tells of each step of a migration at info.
    logging.getLogger("alembic").setLevel(logging.WARNING)
