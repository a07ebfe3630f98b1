"""The flags that choose events, and the filter that they make: one meaning in every command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from ibs_notify.cli.complete import group_names
from ibs_notify.cli.options import Command, with_options
from ibs_notify.cli.params import time
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.rpc.event_filter import DISPOSITIONS
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

_CONTENT = (
    click.option("--source", multiple=True, help="From this source, such as backup. Repeatable."),
    click.option("--type", "types", multiple=True, help="Of this type. Repeatable."),
    click.option(
        "--min-severity",
        type=click.Choice([each.label for each in Severity], case_sensitive=False),
        help="At least this bad.",
    ),
    click.option("--resource", metavar="R", help="About this or anything below it."),
    click.option("--task-id", help="Of this task."),
    click.option("--actor", help="By this actor."),
    click.option("--unmatched", is_flag=True, help="Only those that nobody hears of."),
    click.option("--collapsed-into", metavar="ID", help="Folded into this summary event."),
)
_TIMES = (
    click.option("--after", type=time, help="Accepted at or after: ISO 8601, or 2h ago."),
    click.option("--before", type=time, help="Accepted before."),
)
_COSTLY = (
    click.option("--text", help="With this text in its id, subject, summary, a label …"),
    click.option("--rule", help="That this rule matches."),
    click.option(
        "--group",
        multiple=True,
        shell_complete=group_names,
        help="Routed to this group. Repeatable.",
    ),
    click.option(
        "--disposition",
        multiple=True,
        type=click.Choice(tuple(DISPOSITIONS)),
        help="With this outcome for somebody. Repeatable.",
    ),
)


def event_filters(*, times: bool = True, costly: bool = True) -> Callable[[Command], Command]:
    """Adds the flags; the command passes them on to ``read_filter``.

    ``costly`` ones read events one by one, which CountEvents does not do.
    """
    return with_options(_CONTENT + (_TIMES if times else ()) + (_COSTLY if costly else ()))


def read_filter(flags: Mapping[str, Any]) -> pb.EventFilter:
    """The filter of what was given; no flag, no condition."""
    for name in ("resource", "task_id", "actor", "collapsed_into", "text", "rule"):
        if flags.get(name) == "":
            # A variable of a script that is unset must not mean every event.
            raise click.UsageError(f"--{name.replace('_', '-')} is empty")
    chosen = pb.EventFilter(
        sources=flags["source"],
        types=flags["types"],
        resource=flags["resource"] or "",
        task_id=flags["task_id"] or "",
        actor=flags["actor"] or "",
        after=moment_to_proto(flags.get("after")),
        before=moment_to_proto(flags.get("before")),
        unmatched=flags["unmatched"],
        collapsed_into=flags["collapsed_into"] or "",
        text=flags.get("text") or "",
        rule=flags.get("rule") or "",
        groups=flags.get("group", ()),
        dispositions=[DISPOSITIONS[each] for each in flags.get("disposition", ())],
    )
    if flags["min_severity"] is not None:
        number = Severity.parse(flags["min_severity"]).value
        chosen.min_severity = event_pb2.Severity.ValueType(number)
    return chosen
