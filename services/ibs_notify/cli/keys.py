"""``notification keys …``: the keys that seal stored secrets."""

from __future__ import annotations

import click

from ibs_notify.cli.complete import key_ids
from ibs_notify.cli.confirm import confirm
from ibs_notify.cli.output import (
    Table,
    counted,
    document,
    output_option,
    print_document,
    print_table,
    warn_all,
)
from ibs_notify.cli.params import no_wait_option
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import config_service_pb2 as pb


@click.group("keys")
def keys() -> None:
    """Keys: every stored secret is sealed with one of them.

    \b
    Example:
      ironcore-backup notification keys list
    """


@keys.command("list")
@output_option
def list_keys(output: str) -> None:
    """List the keys, the newest first, and how many secrets each one seals.

    \b
    Example:
      ironcore-backup notification keys list
    """
    with Session() as session:
        answer = session.call(session.config.ListKeys, pb.ListKeysRequest())
    if output != "table":
        print_document(document(answer), output)
        return
    rows = [
        (each.key_id, counted(each.secret_count, "secret"), _state(each)) for each in answer.keys
    ]
    print_table(Table(("Key", "Seals", "State"), rows))
    click.echo(f"read from: {harmless(answer.source)}")


@keys.command("rotate")
@click.option(
    "--keep-newest",
    is_flag=True,
    help="Make no new key: seal with the newest, such as one that was put in by hand.",
)
@no_wait_option
@output_option
def rotate(keep_newest: bool, no_wait: bool, output: str) -> None:
    """Make a new key and seal every stored secret with it, while everything runs.

    What is interrupted goes on by itself. The old key stays until `keys remove`.

    \b
    Example:
      ironcore-backup notification keys rotate
    """
    with Session() as session:
        answer = session.call(
            session.config.RotateKeys,
            pb.RotateKeysRequest(keep_newest=keep_newest),
            timeout=LONG_CALL_SECONDS,
        )
        if output == "table":
            sealed = counted(answer.resealed_count, "secret")
            click.echo(f"newest key {harmless(answer.key_id)}, {sealed} sealed anew with it")
        else:
            print_document(document(answer), output)
        warn_all(answer.warnings)
        if not no_wait:
            session.await_revision(answer.revision)
    if output == "table":
        click.echo("an older backup needs the older key: keep a copy of that as long as the backup")


@keys.command("remove")
@click.argument("key_id", metavar="KEY", shell_complete=key_ids)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(key_id: str, yes: bool) -> None:
    """Take an old key out of the key file. Refused while anything is sealed with it.

    A backup of the time before the rotation can only be used with this key: keep a copy of it as
    long as such a backup, apart from that.

    \b
    Example:
      ironcore-backup notification keys remove k-20260521T021435Z-3f9a01c2
    """
    if not yes:
        confirm(f"key {key_id}, which backups of before need,", "removed")
    with Session() as session:
        session.call(session.config.RemoveKey, pb.RemoveKeyRequest(key_id=key_id))
    click.echo(f"removed key {harmless(key_id)}; a backup of before the rotation needs it")


def _state(key: pb.Key) -> str:
    if not key.available:
        return "missing: what it seals cannot be opened"
    if key.newest:
        return "newest"
    return "in use" if key.secret_count else "can be removed"
