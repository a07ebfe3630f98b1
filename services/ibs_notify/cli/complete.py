"""Names for the shell's completion: from the service, quickly, or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

# Only a completion needs the session and the API here, and they are slow to import.
if TYPE_CHECKING:
    from ibs_notify.cli.session import Session

SECONDS = 1.0

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def target_names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Targets whose names begin so; none where Config does not answer within a second."""
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415  # see above

    return _beginning(
        incomplete,
        lambda session: [
            (each.name, each.description)
            for each in session.call(
                session.config.ListTargets, pb.ListTargetsRequest(page_size=1000), timeout=SECONDS
            ).targets
        ],
    )


def group_names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Groups whose names begin so; none where Config does not answer within a second."""
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415  # see above

    return _beginning(
        incomplete,
        lambda session: [
            (each.name, each.description)
            for each in session.call(
                session.config.ListGroups, pb.ListGroupsRequest(page_size=1000), timeout=SECONDS
            ).groups
        ],
    )


def silence_ids(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Silences that have not ended, with their comments; none where the Router does not answer."""
    from ironcore.notification.v1 import router_service_pb2 as pb  # noqa: PLC0415  # see above

    return _beginning(
        incomplete,
        lambda session: [
            (each.silence_id, each.comment)
            for each in session.call(
                session.router.ListSilences, pb.ListSilencesRequest(page_size=1000), timeout=SECONDS
            ).silences
        ],
    )


def digest_ids(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Digests that are not sent yet, and whose; none where Delivery does not answer."""
    from ironcore.notification.v1 import delivery_service_pb2 as pb  # noqa: PLC0415  # see above

    return _beginning(
        incomplete,
        lambda session: [
            (each.digest_id, f"{each.group}, {each.target}")
            for each in session.call(
                session.delivery.ListDigests,
                pb.ListDigestsRequest(page_size=1000, open_only=True),
                timeout=SECONDS,
            ).digests
        ],
    )


def _beginning(
    incomplete: str, listed: Callable[[Session], list[tuple[str, str]]]
) -> list[CompletionItem[str]]:
    from ibs_notify.cli.session import Session  # noqa: PLC0415  # see above

    try:
        with Session() as session:
            found = listed(session)
    except Exception:  # noqa: BLE001  # a completion that fails must say nothing
        return []
    return [
        CompletionItem(name, help=about or None)
        for name, about in found
        if name.startswith(incomplete)
    ]
