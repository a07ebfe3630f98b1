"""One line for each log record, to standard error; nothing in it can begin a line of its own."""

from __future__ import annotations

import logging

from ibs_notify.domain.harmless import harmless

MORE_OF_IT = "    | "
"""Begins each line of a traceback, so that none of them can pass for a record."""


class OneLine(logging.Formatter):
    """Events, callers and peers are quoted in it: their control characters are written out."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        record.message = harmless(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802  # as above
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # as above
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    lines = harmless(text, keep_lines=True).split("\n")
    return "\n".join(MORE_OF_IT + line for line in lines)


def configure_logging(service: str, level: str) -> None:
    """``level`` is debug, info, warning or error; ``service`` opens each line."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(f"%(asctime)s {service} %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_quotes_no_header)
    # It tells of each step of a migration at info.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _quotes_no_header(record: logging.LogRecord) -> bool:
    """gRPC quotes what is no text in the headers of a call, which may be a token with a byte too
    many, with a traceback, for every call that anybody makes."""
    exception = record.exc_info[1] if record.exc_info else None
    return not isinstance(exception, UnicodeDecodeError)
