"""``notification target …``: where notifications go."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import click
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.cli.changed import report_change
from ibs_notify.cli.complete import target_names
from ibs_notify.cli.delivery_view import held_warnings
from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import document, output_option, print_document, warn, warn_all
from ibs_notify.cli.params import Slot, duration, names, no_wait_option
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.cli.target_flags import KINDS, TYPES, Given, target_flags
from ibs_notify.cli.target_view import (
    Troubles,
    resumed_line,
    show_status,
    show_target,
    show_targets,
    show_test,
)
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import delivery_service_pb2, target_pb2

_OVERLAP = timedelta(hours=24)
_NAME = Slot("name", ["--name"], target_names, of="target")
_DRAFT_NAME = Slot("name", ["--name"], target_names, of="target", required=False)


@click.group("target")
def target() -> None:
    """Targets: mail servers, HTTP endpoints and metric servers.

    \b
    Example:
      ironcore-backup notification target list
    """


@target.command("create")
@names(_NAME)
@click.option(
    "--type", "type_name", type=click.Choice(TYPES), help="What it is; --preset says webhook."
)
@click.option("--disabled", is_flag=True, help="Make it, but send nothing yet.")
@target_flags
@no_wait_option
@output_option
def create(
    name: str, type_name: str | None, disabled: bool, no_wait: bool, output: str, **flags: Any
) -> None:
    """Make a target.

    \b
    Examples:
      ironcore-backup notification target create \\
        --name ops-smtp --type smtp --server smtp.example.com --port 587 \\
        --from ironcore-backup@example.com --auth-method plain \\
        --username ibs-svc --password-file /etc/ironcore/smtp-password \\
        --tls starttls --to ops@example.com
      ironcore-backup notification target create \\
        --name chat-ops --type webhook --url https://chat.example.com/hook \\
        --header-file /etc/ironcore/chat-headers
      ironcore-backup notification target create \\
        --name on-call --preset pagerduty --token-file /etc/ironcore/routing-key
      ironcore-backup notification target create \\
        --name metrics --type metric-server --protocol influxdb-v2 \\
        --url https://metrics.example.com --org polystack \\
        --bucket ibs-events --token-file /etc/ironcore/influx-token
    """
    given = Given.read(flags)
    message = given.target(name, given.kind(type_name))
    message.disabled = disabled
    with Session() as session:
        answer = session.call(session.config.CreateTarget, pb.CreateTargetRequest(target=message))
        report_change(
            session,
            f"created target {name}",
            answer.target,
            answer.warnings,
            output,
            wait=not no_wait,
        )


@target.command("update")
@names(_NAME)
@target_flags
@click.option(
    "--remove-header", metavar="NAME", multiple=True, help="webhook: a header to drop. Repeatable."
)
@click.option(
    "--rotate-signing-secret",
    "rotated",
    type=click.Path(),
    help="webhook: the file with a new signing secret; the former one goes on for a while.",
)
@click.option("--overlap", type=duration, help="With it: for how long. Default 24h, at most 7d.")
@no_wait_option
@output_option
def update(
    name: str,
    remove_header: tuple[str, ...],
    rotated: str | None,
    overlap: timedelta | None,
    no_wait: bool,
    output: str,
    **flags: Any,
) -> None:
    """Change what the flags name; the rest stays. An empty value goes back to the default.

    Headers are merged by name. A new server, port, scheme, user or TLS mode needs the secret again.

    \b
    Examples:
      ironcore-backup notification target update chat-ops \\
        --header "Authorization: Bearer NEW-TOKEN"
      ironcore-backup notification target update ops-smtp --port 465 \\
        --tls implicit --password-file /etc/ironcore/smtp-password
      ironcore-backup notification target update tickets \\
        --rotate-signing-secret /etc/ironcore/new-secret --overlap 48h
    """
    if rotated is not None and flags["signing_secret_file"] is not None:
        raise click.UsageError(
            "--signing-secret-file and --rotate-signing-secret exclude each other"
        )
    if overlap is not None and rotated is None:
        raise click.UsageError("--overlap goes with --rotate-signing-secret")
    if rotated is not None:
        flags["signing_secret_file"] = rotated
    given = Given.read(flags)
    if not given.anything and not remove_header:
        raise click.UsageError("nothing to change: give at least one flag")
    if given.protocol:
        raise click.UsageError("--protocol cannot be changed: make another target")
    with Session() as session:
        stored = session.call(session.config.GetTarget, pb.GetTargetRequest(name=name)).target
        kind = KINDS[stored.WhichOneof("kind") or "smtp"]
        if remove_header and kind.field != "webhook":
            raise click.UsageError(f"--remove-header: not a setting of {kind.label}")
        message = given.target(name, kind)
        # A request that only removes headers must still mask something.
        mask = FieldMask(paths=given.paths(kind) or ["webhook.headers"])
        request = pb.UpdateTargetRequest(
            target=message, update_mask=mask, remove_headers=remove_header
        )
        if rotated is not None:
            request.signing_overlap.FromTimedelta(_OVERLAP if overlap is None else overlap)
        answer = session.call(session.config.UpdateTarget, request)
        report_change(
            session,
            f"updated target {name}",
            answer.target,
            answer.warnings,
            output,
            wait=not no_wait,
        )


@target.command("list")
@output_option
def list_targets(output: str) -> None:
    """List all targets, and how they fare.

    \b
    Example:
      ironcore-backup notification target list
    """
    with Session() as session:
        targets: list[target_pb2.Target] = []
        request = pb.ListTargetsRequest(page_size=1000)
        while True:
            answer = session.call(session.config.ListTargets, request)
            targets += answer.targets
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        troubles, warnings = _troubles(session)
    if output == "table":
        show_targets(targets, troubles)
    else:
        print_document([_with_trouble(each, troubles) for each in targets], output)
    warn_all(warnings)


def _troubles(session: Session) -> tuple[Troubles | None, list[str]]:
    """The targets in trouble, ``None`` where Delivery does not say; and warnings."""
    request = delivery_service_pb2.ListTroubledTargetsRequest()
    try:
        answer = session.call(session.delivery.ListTroubledTargets, request)
    except NotificationError as error:
        return None, [f"how they fare is not known: {error.message}"]
    return {each.target_uid: each for each in answer.targets}, held_warnings(answer)


def _with_trouble(target: target_pb2.Target, troubles: Troubles | None) -> dict[str, Any]:
    found = (troubles or {}).get(target.uid)
    return document(target) | ({} if found is None else {"trouble": document(found)})


@target.command("show")
@names(_NAME)
@output_option
def show(name: str, output: str) -> None:
    """Show a target, whether its secrets are set, and its last result.

    \b
    Example:
      ironcore-backup notification target show ops-smtp
    """
    with Session() as session:
        found = session.call(session.config.GetTarget, pb.GetTargetRequest(name=name)).target
        status: delivery_service_pb2.GetTargetStatusResponse | None = None
        try:
            status = session.call(
                session.delivery.GetTargetStatus,
                delivery_service_pb2.GetTargetStatusRequest(target_uid=found.uid),
            )
            warnings = held_warnings(status)
        except NotificationError as error:
            warnings = [f"how it fares is not known: {error.message}"]
    if output == "table":
        show_target(found)
        if status is not None:
            show_status(status)
    else:
        whole = document(found)
        whole["status"] = None if status is None else document(status)
        print_document(whole, output)
    warn_all(warnings)


@target.command("delete")
@names(_NAME)
@click.option("--force", is_flag=True, help="Also when groups use it or deliveries wait for it.")
@no_wait_option
def delete(name: str, force: bool, no_wait: bool) -> None:
    """Delete a target. With --force what waits for it is cancelled, visibly.

    \b
    Example:
      ironcore-backup notification target delete chat-ops --force
    """
    with Session() as session:
        request = pb.DeleteTargetRequest(name=name, force=force)
        answer = session.call(session.config.DeleteTarget, request)
        click.echo(f"deleted target {name}")
        warn_all(answer.warnings)
        if not no_wait:
            session.await_revision(answer.revision)


@target.command("enable")
@names(_NAME)
@no_wait_option
def enable(name: str, no_wait: bool) -> None:
    """Send to a target again; what waited for it is sent now.

    \b
    Example:
      ironcore-backup notification target enable chat-ops
    """
    _set_disabled(name, disabled=False, wait=not no_wait)


@target.command("disable")
@names(_NAME)
@no_wait_option
def disable(name: str, no_wait: bool) -> None:
    """Send nothing to a target; what is meant for it waits.

    \b
    Example:
      ironcore-backup notification target disable chat-ops
    """
    _set_disabled(name, disabled=True, wait=not no_wait)


@target.command("resume")
@names(_NAME)
@output_option
def resume(name: str, output: str) -> None:
    """Try a target again, now, that paused itself (its endpoint said that it is gone) or fails.

    One delivery is tried; if it arrives, what waited follows. A target that an administrator
    disabled needs target enable.

    \b
    Example:
      ironcore-backup notification target resume chat-ops
    """
    with Session() as session:
        found = session.call(session.config.GetTarget, pb.GetTargetRequest(name=name)).target
        asked = delivery_service_pb2.GetTargetStatusRequest(target_uid=found.uid)
        before = session.call(session.delivery.GetTargetStatus, asked)
        request = delivery_service_pb2.ResumeTargetRequest(target_uid=found.uid)
        answer = session.call(session.delivery.ResumeTarget, request)
    if output == "table":
        click.echo(resumed_line(name, before, answer.count))
    else:
        print_document({"was_paused": bool(before.paused_reason), **document(answer)}, output)
    if found.disabled:
        warn(f"target {name} is disabled: what waits goes on waiting until target enable {name}")


def _set_disabled(name: str, *, disabled: bool, wait: bool) -> None:
    with Session() as session:
        request = pb.UpdateTargetRequest(
            target=target_pb2.Target(name=name, disabled=disabled),
            update_mask=FieldMask(paths=["disabled"]),
        )
        answer = session.call(session.config.UpdateTarget, request)
        done = f"{'disabled' if disabled else 'enabled'} target {name}"
        report_change(session, done, answer.target, answer.warnings, "table", wait=wait)


@target.command("test")
@names(_DRAFT_NAME)
@click.option("--type", "type_name", type=click.Choice(TYPES), help="Test a draft of this type.")
@target_flags
@click.option(
    "--recipient", metavar="ADDR", multiple=True, help="smtp: who receives it. Repeatable."
)
@output_option
def test(
    name: str, type_name: str | None, recipient: tuple[str, ...], output: str, **flags: Any
) -> None:
    """Make one real attempt now and show each stage of it. Exit code 1 where it fails.

    A saved target by its name, or a draft that is not saved: --type and the flags of create. A
    draft with the name of a saved target uses its secrets where it goes to the same place.

    \b
    Examples:
      ironcore-backup notification target test ops-smtp \\
        --recipient admin@example.com
      ironcore-backup notification target test --type smtp \\
        --server smtp.example.com --from ibs@example.com \\
        --recipient admin@example.com
    """
    given = Given.read(flags)
    request = pb.ConfigServiceTestTargetRequest(recipients=recipient)
    if type_name is not None or flags["preset"] is not None:
        request.draft.CopyFrom(given.target(name or "draft", given.kind(type_name)))
    elif given.anything:
        raise click.UsageError("flags that describe a target need --type: they test a draft")
    elif name:
        request.name = name
    else:
        raise click.UsageError("name a saved target, or describe a draft with --type")
    with Session() as session:
        answer = session.call(session.config.TestTarget, request, timeout=LONG_CALL_SECONDS)
    if output == "table":
        show_test(answer)
    else:
        print_document(document(answer), output)
    if not answer.ok:
        sys.exit(Exit.NOT_SO)
