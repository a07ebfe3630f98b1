"""A log line says who wrote it: no text of an event, a caller or a peer can write one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from tests.support.hostile_text import HALF_A_PAIR, TEXTS

from ibs_notify.rpc.logs import MORE_OF_IT, OneLine

BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(written: io.StringIO) -> Iterator[logging.Logger]:
    handler = logging.StreamHandler(written)
    handler.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("tests.one_line")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_record_is_one_line_whatever_it_quotes(
    log: logging.Logger, written: io.StringIO, text: str
) -> None:
    log.warning("event %s of %s was refused", text, text)
    said = written.getvalue()
    assert said.startswith("WARNING tests.one_line: event ")
    assert said.endswith(" was refused\n")
    assert len(said.splitlines()) == 1
    assert "\x1b" not in said
    assert said.encode()


def test_half_a_pair_can_be_written_too() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "%s", (HALF_A_PAIR,), None)
    assert OneLine("%(message)s").format(record) == "a\\ud800b\\udfff"


def test_what_cannot_be_formatted_is_one_line_too(
    log: logging.Logger, written: io.StringIO
) -> None:
    log.warning(f"100 % of {TEXTS['a log line']}")  # as a careless line would
    assert len(written.getvalue().splitlines()) == 1


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_traceback_cannot_pass_for_a_record(
    log: logging.Logger, written: io.StringIO, text: str
) -> None:
    try:
        raise ValueError(text)  # noqa: TRY301  # it is to have a traceback
    except ValueError:
        log.exception("a handler failed")
    first, *rest = written.getvalue().removesuffix("\n").split("\n")
    assert first == "ERROR tests.one_line: a handler failed"
    assert all(line.startswith(MORE_OF_IT) for line in rest)
    assert not set("".join(rest)) & set(BREAKS)
