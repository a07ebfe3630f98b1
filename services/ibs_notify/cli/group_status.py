"""``notification group status``: what a group's rate limit holds back."""

from __future__ import annotations

from datetime import timedelta

import click

from ibs_notify.cli.complete import group_names
from ibs_notify.cli.output import (
    Document,
    Table,
    counted,
    document,
    moment,
    output_option,
    print_document,
    print_fields,
    print_table,
    severity,
)
from ibs_notify.cli.params import Slot, names
from ibs_notify.cli.session import Session
from ibs_notify.domain.duration import show_duration
from ironcore.notification.v1 import router_service_pb2 as pb

_NAME = Slot("name", ["--name", "--group"], group_names, of="group", required=False)


@click.command("status")
@names(_NAME)
@output_option
def group_status(name: str, output: str) -> None:
    """Show what waits in a group, and when the next is let go; without a name of all groups.

    \b
    Examples:
      ironcore-backup notification group status
      ironcore-backup notification group status ops-team
    """
    with Session() as session:
        if name:
            found = {name: _ask(session, name)}
        else:
            found = _ask_all(session)
    if output != "table":
        documents: list[Document] = [
            {"group": group, **document(each)} for group, each in found.items()
        ]
        print_document(documents[0] if name else documents, output)
    elif name:
        _show(found[name])
    else:
        _show_all(found)


def _ask(session: Session, name: str) -> pb.GetGroupStatusResponse:
    return session.call(session.router.GetGroupStatus, pb.GetGroupStatusRequest(group=name))


def _ask_all(session: Session) -> dict[str, pb.GetGroupStatusResponse]:
    found: dict[str, pb.GetGroupStatusResponse] = {}
    request = pb.ListGroupStatusesRequest(page_size=1000)
    while True:
        answer = session.call(session.router.ListGroupStatuses, request)
        found |= {each.group: each.status for each in answer.group_statuses}
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def _show(status: pb.GetGroupStatusResponse) -> None:
    print_fields(
        {
            "Waiting": f"{_waiting(status)}{_oldest(status)}",
            "To be sent": counted(status.ready_count, "notification") if status.ready_count else "",
            "Next release": moment(status.next_release_time) or "nothing waits",
            "Last minute": _released(status),
            "Collapsed": f"{counted(status.collapsed_count, 'notification')} into summaries",
            "Bound": _bound(status)
            and f"from {_bound(status)} waiting on the least severe are collapsed",
        }
    )


def _show_all(found: dict[str, pb.GetGroupStatusResponse]) -> None:
    print_table(
        Table(
            ("Group", "Waiting", "Next release", "Last minute", "Collapsed", "Bound"),
            [
                (
                    group,
                    _waiting(each),
                    moment(each.next_release_time),
                    _released(each),
                    f"{each.collapsed_count:,}",
                    _bound(each) or "never",
                )
                for group, each in found.items()
            ],
            empty="no groups yet: ironcore-backup notification group create --help",
        )
    )


def _waiting(status: pb.GetGroupStatusResponse) -> str:
    """``7: 2 critical, 5 error``."""
    total = sum(each.count for each in status.waiting)
    parts = ", ".join(f"{each.count:,} {severity(each.severity)}" for each in status.waiting)
    return f"{total:,}: {parts}" if parts else "nothing"


def _oldest(status: pb.GetGroupStatusResponse) -> str:
    if not status.waiting or not status.HasField("oldest_age"):
        return ""
    age = status.oldest_age.ToTimedelta()
    return f"; the oldest for {show_duration(age)}" if age >= timedelta(seconds=1) else ""


def _released(status: pb.GetGroupStatusResponse) -> str:
    """``12 of 60`` events. Without a limit they are not counted."""
    limit = status.rate_limit_per_minute
    return f"{status.released_count:,} of {limit:,}" if limit else "no limit"


def _bound(status: pb.GetGroupStatusResponse) -> str:
    return f"{status.backlog_bound:,}" if status.backlog_bound else ""
