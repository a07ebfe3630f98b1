"""What the words of the language mean, for who is writing one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ibs_notify.rules.ast import Field, Operator

FIELDS: Final[Mapping[Field, str]] = {
    Field.SEVERITY: "info, notice, warning, error or critical",
    Field.TYPE: "What happened, such as backup.failed",
    Field.ACTOR: "Who did it, such as alice@polystack!backup-job",
    Field.RESOURCE: "What it is about, such as /datastore/NAME/vm/123",
    Field.SUBJECT: "The event's headline",
    Field.SUMMARY: "The event's text",
    Field.TASK_ID: "The task that it comes from",
    Field.SOURCE: "The first word of the type, such as backup",
    Field.LABEL: "A label that the emitter set: labels.KEY",
}
OPERATORS: Final[Mapping[Operator, str]] = {
    Operator.EQ: "Is",
    Operator.NE: "Is not",
    Operator.IN: "Is one of a list",
    Operator.NOT_IN: "Is none of a list",
    Operator.STARTS_WITH: "Begins with these characters",
    Operator.ENDS_WITH: "Ends with these characters",
    Operator.CONTAINS: "Has these characters in it",
    Operator.MATCHES: "Is like a glob: * for anything, ? for one character",
    Operator.GE: "At least",
    Operator.GT: "Above",
    Operator.LE: "At most",
    Operator.LT: "Below",
    Operator.UNDER: "Is this path, or below it",
}
SEVERITIES: Final[Mapping[str, str]] = {
    "error": "A failed operation",
    "critical": "Service-impacting",
    "warning": "Recoverable",
    "notice": "Notable but expected",
    "info": "Routine",
}
