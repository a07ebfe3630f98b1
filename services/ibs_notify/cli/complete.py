"""Names of targets and groups for the shell's completion: from the service, quickly, or not."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

SECONDS = 1.0

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def target_names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Targets whose names begin so; none where Config does not answer within a second."""
    from ibs_notify.cli.session import Session  # noqa: PLC0415  # only a completion needs it here
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415

    try:
        with Session() as session:
            request = pb.ListTargetsRequest(page_size=1000)
            answer = session.call(session.config.ListTargets, request, timeout=SECONDS)
    except Exception:  # noqa: BLE001  # a completion that fails must say nothing
        return []
    return [
        CompletionItem(each.name, help=each.description or None)
        for each in answer.targets
        if each.name.startswith(incomplete)
    ]


def group_names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Groups whose names begin so; none where Config does not answer within a second."""
    from ibs_notify.cli.session import Session  # noqa: PLC0415  # only a completion needs it here
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415

    try:
        with Session() as session:
            request = pb.ListGroupsRequest(page_size=1000)
            answer = session.call(session.config.ListGroups, request, timeout=SECONDS)
    except Exception:  # noqa: BLE001  # a completion that fails must say nothing
        return []
    return [
        CompletionItem(each.name, help=each.description or None)
        for each in answer.groups
        if each.name.startswith(incomplete)
    ]
