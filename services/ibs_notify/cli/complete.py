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
_MOST = 1000

Names = list[tuple[str, str]]
"""With what each is."""
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def _targets(session: Session) -> Names:
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415  # see above

    request = pb.ListTargetsRequest(page_size=_MOST)
    found = session.call(session.config.ListTargets, request, timeout=SECONDS)
    return [(each.name, each.description) for each in found.targets]


def _groups(session: Session) -> Names:
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415  # see above

    request = pb.ListGroupsRequest(page_size=_MOST)
    found = session.call(session.config.ListGroups, request, timeout=SECONDS)
    return [(each.name, each.description) for each in found.groups]


def _silences(session: Session) -> Names:
    """Those that have not ended, with their comments."""
    from ironcore.notification.v1 import router_service_pb2 as pb  # noqa: PLC0415  # see above

    request = pb.ListSilencesRequest(page_size=_MOST)
    found = session.call(session.router.ListSilences, request, timeout=SECONDS)
    return [(each.silence_id, each.comment) for each in found.silences]


def _digests(session: Session) -> Names:
    """Those that are not sent yet, and whose."""
    from ironcore.notification.v1 import delivery_service_pb2 as pb  # noqa: PLC0415  # see above

    request = pb.ListDigestsRequest(page_size=_MOST, open_only=True)
    found = session.call(session.delivery.ListDigests, request, timeout=SECONDS)
    return [(each.digest_id, f"{each.group}, {each.target}") for each in found.digests]


def _tokens(session: Session) -> Names:
    from ironcore.notification.v1 import config_service_pb2 as pb  # noqa: PLC0415  # see above

    request = pb.ListTokensRequest(page_size=_MOST)
    found = session.call(session.config.ListTokens, request, timeout=SECONDS)
    return [(each.name, each.description) for each in found.tokens]


def _of(listed: Callable[[Session], Names]) -> Completer:
    """Those that begin as what is typed; none where the service does not answer within a second."""

    def complete(
        _ctx: click.Context, _param: click.Parameter, incomplete: str
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

    return complete


target_names, group_names = _of(_targets), _of(_groups)
silence_ids, digest_ids = _of(_silences), _of(_digests)
token_names = _of(_tokens)
