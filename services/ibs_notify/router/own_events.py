"""Which events are the system's own, of which no rule is asked. In SQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ibs_notify.domain.catalogue import SUMMARY_TYPE
from ibs_notify.router.dispositions import Reason, State
from ibs_notify.router.notices import NOTICES
from ibs_notify.router.tables import OBLIGATIONS

_O = OBLIGATIONS.c


def is_own(c: sa.ColumnCollection[str, Any]) -> sa.ColumnElement[bool]:
    """Whether the event with the columns ``c`` is a notice that only the inbox has, or the summary
    of a backlog; as ``explain`` says it.
    """
    is_summary = sa.exists().where(
        # Of an event of this type that was emitted the obligations are by rules.
        _O.event_seq == c.seq,
        _O.reason == Reason.BACKLOG_COLLAPSED.value,
        _O.state != State.COLLAPSED.value,
    )
    return sa.or_(
        sa.and_(c.revision == 0, c.type.in_(sorted(NOTICES))),
        sa.and_(c.type == SUMMARY_TYPE, is_summary),
    )
