"""``notification settings …``: what holds for the whole installation."""

from __future__ import annotations

import click
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.cli.output import (
    document,
    moment,
    output_option,
    print_document,
    print_fields,
    warn_all,
)
from ibs_notify.cli.params import no_wait_option
from ibs_notify.cli.session import Session
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import settings_pb2


@click.group("settings")
def settings() -> None:
    """Settings: default recipients, public address, time zone, sender.

    \b
    Example:
      ironcore-backup notification settings show
    """


@settings.command("show")
@output_option
def show(output: str) -> None:
    """Show the settings.

    \b
    Example:
      ironcore-backup notification settings show -o json
    """
    with Session() as session:
        found = session.call(session.config.GetSettings, pb.GetSettingsRequest()).settings
    _show(found, output)


@settings.command("update")
@click.option(
    "--default-recipient",
    metavar="ADDR",
    multiple=True,
    help="Who receives mail that names nobody. Repeatable; '' for nobody.",
)
@click.option("--public-url", metavar="URL", help="Where users reach the product.")
@click.option("--timezone", metavar="ZONE", help="IANA name, such as Europe/Vienna.")
@click.option("--sender", metavar="ADDR", help="Of mails whose target names none.")
@no_wait_option
@output_option
def update(
    default_recipient: tuple[str, ...],
    public_url: str | None,
    timezone: str | None,
    sender: str | None,
    no_wait: bool,
    output: str,
) -> None:
    """Change what the flags name; the rest stays. An empty value goes back to the default.

    \b
    Example:
      ironcore-backup notification settings update \\
        --default-recipient ops@example.com \\
        --public-url https://ibs.example.com --timezone Europe/Vienna
    """
    texts = {"public_url": public_url, "time_zone": timezone, "sender": sender}
    message = settings_pb2.Settings(
        default_recipients=[each for each in default_recipient if each],
        public_url=public_url or "",
        time_zone=timezone or "",
        sender=sender or "",
    )
    paths = ["default_recipients"] * bool(default_recipient)
    paths += [name for name, value in texts.items() if value is not None]
    if not paths:
        raise click.UsageError("nothing to change: give at least one flag")
    with Session() as session:
        request = pb.UpdateSettingsRequest(settings=message, update_mask=FieldMask(paths=paths))
        answer = session.call(session.config.UpdateSettings, request)
        _show(answer.settings, output)
        warn_all(answer.warnings)
        if not no_wait:
            session.await_revision(answer.settings.revision)


def _show(found: settings_pb2.Settings, output: str) -> None:
    if output != "table":
        print_document(document(found), output)
        return
    updated = moment(found.update_time)
    print_fields(
        {
            "Default recipients": ", ".join(found.default_recipients) or "not set",
            "Public URL": found.public_url or "not set",
            "Time zone": found.time_zone or "UTC",
            "Sender": found.sender or "not set",
            "Updated": f"{updated} by {found.updated_by}" if updated else "",
        }
    )
