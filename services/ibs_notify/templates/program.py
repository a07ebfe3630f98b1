"""A compiled template: parsed by Jinja, checked, and made into closures that write to a Run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from ibs_notify.templates.escaping import Escaping
from ibs_notify.templates.expressions import MOST_DEPTH, lower
from ibs_notify.templates.faults import Fault, Place, at_fault, of_syntax
from ibs_notify.templates.refusals import refusal
from ibs_notify.templates.run import MOST_TEMPLATE, Run, to_text
from ibs_notify.templates.shapes import LOOP, TEXT, Kind, Shape
from ibs_notify.templates.typed import Expression
from ibs_notify.templates.variables import VARIABLES

Write = Callable[[Run], None]

_MOST_LOOPS: Final = 2


@dataclass(frozen=True, slots=True)
class Program:
    """``whole`` is the expression of a template that is exactly one, and nothing else."""

    writes: tuple[Write, ...]
    whole: Expression | None = None

    def text(self, run: Run) -> str:
        """What the template writes with the variables of ``run``.

        Raises InvalidArgument when the result, or the work for it, exceeds its bound.
        """
        run.out = []
        for write in self.writes:
            write(run)
        return "".join(run.out)


def compile_program(
    text: str, place: Place, escaping: Escaping, *, loops: bool = False, trim: bool = False
) -> Program:
    """Parse and check ``text``.

    ``loops`` permits ``{% for %}``; ``trim`` drops the line of a block that stands alone on it.
    Raises InvalidArgument with line, column and the likeliest fix.
    """
    check_length(text, place)
    try:
        tree = _parser(trim).parse(text)
        builder = _Builder(escaping, loops=loops)
        writes = builder.body(tree.body, dict(VARIABLES), 0, 0)
        return Program(tuple(writes), _whole(tree))
    except TemplateSyntaxError as error:
        raise at_fault(place, text, of_syntax(error)) from None
    except Fault as fault:
        raise at_fault(place, text, fault) from None
    except (RecursionError, ValueError, OverflowError):
        # Python's own bounds: brackets nested in thousands, a number of thousands of digits.
        raise place.refuse(0, "the template is nested too deeply", "make it simpler") from None


def check_length(text: str, place: Place) -> None:
    """Refuse a template that is longer than ``MOST_TEMPLATE`` characters."""
    if len(text) > MOST_TEMPLATE:
        raise place.refuse(
            0, f"the template is longer than {MOST_TEMPLATE // 1024} KiB", "shorten it"
        )


@cache
def _parser(trim: bool) -> Environment:  # noqa: FBT001
    # It only parses, so its autoescape is of no effect: see ``escaping``.
    return Environment(  # noqa: S701
        trim_blocks=trim, lstrip_blocks=trim, keep_trailing_newline=True
    )


def _whole(tree: nodes.Template) -> Expression | None:
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as node])] if not isinstance(
            node, nodes.TemplateData
        ):
            return lower(node, VARIABLES)
        case _:
            return None


class _Builder:
    """Builds the writers of statements; refuses every statement it does not know."""

    def __init__(self, escaping: Escaping, *, loops: bool) -> None:
        self._escaping = escaping
        self._loops = loops

    def body(
        self, statements: Sequence[nodes.Node], scope: Mapping[str, Shape], depth: int, loops: int
    ) -> list[Write]:
        writes: list[Write] = []
        for node in statements:
            if depth > MOST_DEPTH:
                raise Fault("blocks are nested too deeply", "make it simpler", line=node.lineno)
            match node:
                case nodes.Output():
                    writes.extend(self._output(part, scope) for part in node.nodes)
                case nodes.If():
                    writes.append(self._if(node, scope, depth, loops))
                case nodes.For() if self._loops:
                    writes.append(self._for(node, scope, depth, loops))
                case _:
                    raise refusal(node)
        return writes

    def _output(self, node: nodes.Node, scope: Mapping[str, Shape]) -> Write:
        if isinstance(node, nodes.TemplateData):
            literal = self._escaping.literal(node.data)
            return lambda run: run.write(literal)
        expression = lower(node, scope)
        if expression.shape.kind is Kind.PAIR:
            raise Fault(
                "a pair cannot be written", "use {% for key, value in … %}", line=node.lineno
            )
        value, cost, escape = expression.value, expression.cost, self._escaping.value
        weight = self._escaping.weight

        def write(run: Run) -> None:
            text = to_text(value(run))
            run.spend(cost + len(text) // weight)
            run.write(escape(text))

        return write

    def _if(self, node: nodes.If, scope: Mapping[str, Shape], depth: int, loops: int) -> Write:
        branches = []
        for each in (node, *node.elif_):
            test = lower(each.test, scope)
            branches.append(
                (test.value, test.cost, tuple(self.body(each.body, scope, depth + 1, loops)))
            )
        otherwise = tuple(self.body(node.else_, scope, depth + 1, loops))

        def choose(run: Run) -> None:
            for test, cost, body in branches:
                run.spend(cost)
                if test(run):
                    _write_all(body, run)
                    return
            _write_all(otherwise, run)

        return choose

    def _for(self, node: nodes.For, scope: Mapping[str, Shape], depth: int, loops: int) -> Write:
        iterated = lower(node.iter, scope)
        _check_loop(node, iterated, loops)
        names = _targets(node, iterated, scope)
        inner = {**scope, **names, "loop": LOOP}
        body = tuple(self.body(node.body, inner, depth + 1, loops + 1))
        otherwise = tuple(self.body(node.else_, scope, depth + 1, loops))
        targets, items_of, cost = tuple(names), iterated.value, iterated.cost

        def repeat(run: Run) -> None:
            items = list(items_of(run))
            run.spend(cost + len(items))
            outer = run.names
            for index, item in enumerate(items, start=1):
                run.spend(5 + len(body))
                values = item if len(targets) > 1 else (item,)
                run.names = {**outer, **dict(zip(targets, values, strict=True))}
                run.names["loop"] = _position(index, len(items))
                _write_all(body, run)
            run.names = outer
            if not items:
                _write_all(otherwise, run)

        return repeat


def _write_all(writes: tuple[Write, ...], run: Run) -> None:
    for write in writes:
        write(run)


def _position(index: int, length: int) -> dict[str, Any]:
    return {"index": index, "length": length, "first": index == 1, "last": index == length}


def _check_loop(node: nodes.For, iterated: Expression, loops: int) -> None:
    if loops == _MOST_LOOPS:
        raise Fault(
            f"loops are nested more than {_MOST_LOOPS} deep",
            "use |join(', ')",
            line=node.lineno,
            word="for",
        )
    if node.test is not None or node.recursive:
        raise Fault(
            "a loop takes no condition", "put {% if %} inside it", line=node.lineno, word="for"
        )
    if iterated.shape.kind not in (Kind.LIST, Kind.MAP):
        raise Fault(
            f"a loop takes a list or a map, not {iterated.shape.kind}",
            "such as {% for key, value in event.labels|dictsort %}",
            line=node.lineno,
            word="for",
        )


def _targets(node: nodes.For, iterated: Expression, scope: Mapping[str, Shape]) -> dict[str, Shape]:
    is_list = iterated.shape.kind is Kind.LIST
    item = iterated.shape.items if is_list and iterated.shape.items is not None else TEXT
    match node.target:
        case nodes.Name(name=str(name)) if item.kind is not Kind.PAIR:
            names = {name: item}
        case nodes.Tuple(items=[nodes.Name(name=str(key)), nodes.Name(name=str(value))]) if (
            item.kind is Kind.PAIR and key != value
        ):
            names = {key: TEXT, value: TEXT}
        case _:
            raise Fault(
                "the names of the loop do not fit what it goes over",
                "write {% for key, value in event.labels|dictsort %}, {% for row in rows %}",
                line=node.lineno,
                word="for",
            )
    taken = next((name for name in names if name in scope or name == "loop"), None)
    if taken is not None:
        raise Fault(f"the name {taken} is taken", "use another", line=node.lineno, word=taken)
    return names
