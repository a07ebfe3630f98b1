"""How Router and Delivery recognise callers: by the tokens that Config streams, or streamed."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc

from ibs_notify.domain.clock import Clock
from ibs_notify.rpc.authentication import Authenticator, OnRefused
from ibs_notify.rpc.lifecycle import run_beside
from ibs_notify.rpc.token_uses import TokenUses
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.snapshot.token_report import report_to_config
from ibs_notify.snapshot.watcher import ConfigWatcher


def recognise_by(
    watcher: ConfigWatcher,
    config: grpc.aio.Channel,
    clock: Clock,
    stack: AsyncExitStack,
    on_refused: OnRefused,
) -> Authenticator:
    """Knows the tokens that ``watcher`` has, and tells Config of their use, until ``stack`` closes.

    Call it before the watcher runs.
    """
    uses = TokenUses()
    authenticator = Authenticator(clock, uses, on_refused)

    def take(snapshot: Snapshot) -> None:
        # What was kept while nobody was asked does not say that a token is not valid.
        if snapshot.tokens is not None:
            authenticator.set_tokens(snapshot.tokens)

    watcher.on_change(take)
    run_beside(stack, authenticator.watch_streams())
    run_beside(stack, uses.run(report_to_config(config)))
    return authenticator
