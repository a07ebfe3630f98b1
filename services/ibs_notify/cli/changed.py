"""How a command that changed something ends."""

from __future__ import annotations

from collections.abc import Iterable

import click

from ibs_notify.cli.output import document, print_document, warn_all
from ibs_notify.cli.session import Session
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import group_pb2, target_pb2


def report_change(
    session: Session,
    done: str,
    changed: target_pb2.Target | group_pb2.Group,
    warnings: Iterable[str],
    output: str,
    *,
    wait: bool,
) -> None:
    """Print ``done`` or the document, the warnings, and wait until the change is applied."""
    if output == "table":
        click.echo(f"{harmless(done)} (revision {changed.revision})")
    else:
        print_document(document(changed), output)
    warn_all(warnings)
    if wait:
        session.await_revision(changed.revision)
