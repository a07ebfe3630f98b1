"""From text to a rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from ibs_notify.rules.ast import Always, Atom, Not, Position, Rule, all_of, any_of
from ibs_notify.rules.diagnose import unexpected
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.reader import Reader

SIZE_LIMIT: Final = 4096
"""Bytes of a rule in UTF-8."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a text could be read: its checked tokens, and the fault that ended it."""

    reader: Reader
    tokens: tuple[Token, ...]
    session: InteractiveParser
    fault: RuleError | None


def parse(text: str) -> Rule:
    """The rule of ``text``, checked and in normal form.

    Raises ``RuleError`` with the first fault's place and what was probably meant. At most 4 KiB,
    64 conditions, 64 values in a list and 32 levels of ``(`` and ``not``; a text beyond them is
    refused before anything of its size is built.
    """
    check_size(text)
    return finish(read(text))


def check_size(text: str) -> None:
    """``RuleError`` for a text that is not to be read: too long, or nothing."""
    if is_too_long(text):
        advice = "use several subscriptions, or a label that the emitter sets"
        raise RuleError(Position(), f"the rule has more than {SIZE_LIMIT} bytes", advice=advice)
    if not text.strip():
        advice = "write * to match every event"
        raise RuleError(Position(), "the rule is empty", suggestion="*", advice=advice)


def is_too_long(text: str) -> bool:
    """Whether it is over the bound, and not to be looked at."""
    if len(text) > SIZE_LIMIT:
        return True
    return len(text.encode("utf-8", "surrogatepass")) > SIZE_LIMIT


def read(text: str) -> Reading:
    """As much of ``text`` as can be read, which may be unfinished; of at most the bound's size."""
    reader = Reader(text)
    session = _parser().parse_interactive(text)
    tokens: list[Token] = []
    fault: RuleError | None = None
    try:
        for token in session.iter_parse():
            if not reader.fits(token):
                raise unexpected(reader, token.start_pos or 0)
            reader.see(token)
            tokens.append(token)
    except RuleError as error:
        fault = error
    except UnexpectedInput as error:
        fault = unexpected(reader, _offset(error, len(text)))
    return Reading(reader, tuple(tokens), session, fault)


def finish(reading: Reading) -> Rule:
    """The rule of a text that was read, once; ``RuleError`` where it is unfinished or wrong."""
    if reading.fault is not None:
        raise reading.fault
    try:
        return cast(Rule, reading.session.feed_token(Token("$END", "")))
    except UnexpectedInput as error:
        end = len(reading.reader.text)
        raise unexpected(reading.reader, _offset(error, end)) from None


def _offset(error: UnexpectedInput, end: int) -> int:
    start = error.token.start_pos if isinstance(error, UnexpectedToken) else error.pos_in_stream
    return end if start is None else start


@cache
def _parser() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        lexer="contextual",
        transformer=_Builder(),
    )


class _Builder(Transformer[Token, Rule]):
    """One method for each rule of the grammar; runs while the parser reduces, so never recurses."""

    def any_of(self, parts: list[Rule]) -> Rule:
        return any_of(parts)

    def all_of(self, parts: list[Rule]) -> Rule:
        return all_of(parts)

    def negation(self, parts: list[Rule]) -> Rule:
        return Not(parts[0])

    def always(self, _: list[Token]) -> Rule:
        return Always()

    def atom(self, tokens: list[Token]) -> Rule:
        (field, label, at), operator, *values = (token.value for token in tokens)
        return Atom(field, operator, tuple(values), label, at)
