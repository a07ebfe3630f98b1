"""From text to a rule."""

from __future__ import annotations

from functools import cache
from typing import Final, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from ibs_notify.rules.ast import Always, Atom, Not, Position, Rule, all_of, any_of
from ibs_notify.rules.diagnose import unexpected
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.reader import Reader

SIZE_LIMIT: Final = 4096
"""Bytes of a rule in UTF-8."""


def parse(text: str) -> Rule:
    """The rule of ``text``, checked and in normal form.

    Raises ``RuleError`` with the first fault's place and what was probably meant. At most 4 KiB,
    64 conditions, 64 values in a list and 32 levels of ``(`` and ``not``; a text beyond them is
    refused before anything of its size is built.
    """
    size = len(text)
    if size <= SIZE_LIMIT:
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > SIZE_LIMIT:
        advice = "use several subscriptions, or a label that the emitter sets"
        raise RuleError(Position(), f"the rule has more than {SIZE_LIMIT} bytes", advice=advice)
    if not text.strip():
        advice = "write * to match every event"
        raise RuleError(Position(), "the rule is empty", suggestion="*", advice=advice)
    reader = Reader(text)
    session = _parser().parse_interactive(text)
    try:
        for token in session.iter_parse():
            if not reader.fits(token):
                raise unexpected(reader, token.start_pos or 0)
            reader.see(token)
        return cast(Rule, session.feed_token(Token("$END", "")))
    except UnexpectedInput as error:
        raise unexpected(reader, _offset(error, len(text))) from None


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
