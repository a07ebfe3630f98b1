"""Reads the tokens of a rule in order: checks every word, and knows what may come next.

The grammar decides how tokens fit together; this decides what each one means where it stands, and
gives it the checked meaning as its ``value``. It also counts, so that nothing without bounds is
ever built.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from lark import Token

from ibs_notify.rules import values
from ibs_notify.rules.ast import Field, Operator, Position
from ibs_notify.rules.errors import RuleError, position_of, shown
from ibs_notify.rules.vocabulary import check_fits, field_of, operator_of

ATOM_LIMIT: Final = 64
DEPTH_LIMIT: Final = 32
VALUE_LIMIT: Final = 64


class Expecting(StrEnum):
    """What may come next; the value is how an error says so."""

    CONDITION = "a condition such as `severity >= error`, `not`, `(` or `*`"
    OPERATOR = "an operator such as `=`, `in` or `starts-with`"
    VALUE = "a value"
    LIST = "a list in parentheses"
    LIST_VALUE = "a value of the list"
    COMMA = "`,` or `)`"
    CONNECTIVE = "`and`, `or` or the end of the rule"


class Reader:
    """The state of reading ``text``. ``see`` takes each token before the parser does."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.expecting = Expecting.CONDITION
        self.previous = ""
        self.opened: list[int] = []
        self.name = ""
        self.field = Field.SEVERITY
        self.label = ""
        self.operator = Operator.EQ
        self._values = 0
        self.value_start = -1
        self._atoms = 0
        self._depths = [0]
        self._depth = 0

    def fits(self, token: Token) -> bool:
        """Whether a token that joins others may come now: LALR alone tells only a step later."""
        match token.type:
            case "_COMMA":
                return self.expecting is Expecting.COMMA
            case "_AND" | "_OR":
                return self.expecting is Expecting.CONNECTIVE
            case _:
                return True

    def see(self, token: Token) -> None:
        """Checks ``token`` and sets its ``value`` to its meaning; ``RuleError``."""
        # The most frequent first: a list of 4 KiB has thousands.
        match token.type:
            case "_COMMA":
                self.expecting = Expecting.LIST_VALUE
            case "VALUE" | "STRING":
                self._see_value(token, _place(token))
            case "FIELD":
                self._see_field(token, _place(token))
            case "OPERATOR":
                self._see_operator(token, _place(token))
            case "_AND" | "_OR":
                self._depth = self._depths[-1]
                self.expecting = Expecting.CONDITION
            case "_LPAR":
                self._see_open(token.start_pos or 0, _place(token))
            case "_RPAR":
                self._see_close(_place(token))
            case "_NOT":
                self._deeper(_place(token))
            case "STAR":
                self._count_atom(_place(token))
                self.expecting = Expecting.CONNECTIVE
                self.value_start = -1
        self.previous = str(token)

    def _see_field(self, token: Token, at: Position) -> None:
        self._count_atom(at)
        self.name = str(token)
        self.field, label = field_of(self.name, at)
        if label[:1] in ('"', "'"):
            label = values.unquote(label, at)
            if not label:
                raise RuleError(at, "a label has no key", expected="labels.KEY")
        self.label = label
        token.value = (self.field, label, at)
        self.expecting = Expecting.OPERATOR

    def _see_operator(self, token: Token, at: Position) -> None:
        following = self.text[(token.start_pos or 0) + len(token) :]
        self.operator = operator_of(str(token), following, self.name, at)
        check_fits(self.field, self.operator, self.name, at)
        token.value = self.operator
        self._values = 0
        self.value_start = -1
        self.expecting = Expecting.LIST if self.operator.takes_list else Expecting.VALUE

    def _see_value(self, token: Token, at: Position) -> None:
        start = token.start_pos or 0
        if self.expecting is Expecting.LIST:
            raise self._list_without_parentheses(start, at)
        text = str(token)
        plain = values.unquote(text, at) if token.type == "STRING" else values.bare(text, at)
        token.value = values.compared(self.field, self.operator, plain, at)
        self._values += 1
        if self._values > VALUE_LIMIT:
            raise RuleError(at, f"the list has more than {VALUE_LIMIT} values")
        if self.value_start < 0:
            self.value_start = start
        in_list = self.expecting is Expecting.LIST_VALUE
        self.expecting = Expecting.COMMA if in_list else Expecting.CONNECTIVE

    def _list_without_parentheses(self, start: int, at: Position) -> RuleError:
        rest = self.text[start:].split(" and ")[0].split(" or ")[0].strip().strip("[]{}")
        return RuleError(
            at,
            f"`{self.operator}` takes a list in parentheses",
            expected="`(`",
            suggestion=f"{self.name} {self.operator} ({rest})",
        )

    def _see_open(self, start: int, at: Position) -> None:
        match self.expecting:
            case Expecting.LIST:
                self.expecting = Expecting.LIST_VALUE
            case Expecting.VALUE:
                raise self._value_in_parentheses(start, at)
            case _:
                self._deeper(at)
                self._depths.append(self._depth)
        self.opened.append(start)

    def _value_in_parentheses(self, start: int, at: Position) -> RuleError:
        other = {Operator.EQ: Operator.IN, Operator.NE: Operator.NOT_IN}.get(self.operator)
        return RuleError(
            at,
            f"`{self.operator}` takes one value",
            expected=Expecting.VALUE,
            suggestion=f"{self.name} {other} {self.parenthesised(start)}" if other else "",
            advice="" if other else "quote a value that has parentheses",
        )

    def parenthesised(self, start: int) -> str:
        """The text from the ``(`` at ``start`` to its ``)``, which is added where it is missing."""
        return self.text[start:].partition(")")[0].rstrip() + ")"

    def _see_close(self, at: Position) -> None:
        if not self.opened:
            raise RuleError(
                at,
                "`)` closes nothing",
                expected=Expecting.CONNECTIVE,
                advice="remove it, or add the `(` that it closes",
            )
        self.opened.pop()
        if self.expecting is not Expecting.COMMA:
            self._depths.pop()
            self.value_start = -1
        self._depth = self._depths[-1]
        self.expecting = Expecting.CONNECTIVE

    def _deeper(self, at: Position) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise RuleError(at, f"`(` and `not` are nested more than {DEPTH_LIMIT} deep")

    def _count_atom(self, at: Position) -> None:
        self._atoms += 1
        if self._atoms > ATOM_LIMIT:
            raise RuleError(
                at,
                f"more than {ATOM_LIMIT} conditions",
                advice="`in (a, b, c)` is one condition; or use two subscriptions",
            )

    @property
    def has_room(self) -> bool:
        """Whether another condition and another level may follow."""
        return self._atoms < ATOM_LIMIT and self._depth < DEPTH_LIMIT

    @property
    def list_has_room(self) -> bool:
        """Whether another value may follow in the list."""
        return self._values < VALUE_LIMIT

    @property
    def unclosed(self) -> str:
        """Where the innermost ``(`` that is still open stands, for a message."""
        at = position_of(self.text, self.opened[-1])
        return f"{shown('(')} at line {at.line}, column {at.column}"


def _place(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)
