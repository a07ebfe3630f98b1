"""A list of values as one parameter.

SQLAlchemy's ``IN`` writes and parses a statement for each length of the list, which on the way of
an event costs more than what it finds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def is_among(column: sa.ColumnElement[Any], parameter: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether ``column`` is one of the values of ``parameter``, which ``listed`` makes."""
    if dialect == "sqlite":
        each = sa.func.json_each(sa.bindparam(parameter)).table_valued("value")
        return column.in_(sa.select(each.c.value))
    return column == sa.any_(sa.bindparam(parameter, type_=ARRAY(column.type)))


def listed(values: Iterable[int | str], dialect: str) -> object:
    """The value of the parameter: sorted, so that rows are locked in the same order."""
    ordered = sorted(values)
    if dialect != "sqlite":
        return ordered
    # Numbers are the same in JSON, and nearly all that is looked up on the way of an event.
    return str(ordered) if ordered and isinstance(ordered[0], int) else json.dumps(ordered)
