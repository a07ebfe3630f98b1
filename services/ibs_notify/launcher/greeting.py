"""What the launcher says once everything serves: where it is, what is to set, what to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import grpc

from ibs_notify.domain.errors import NotificationError
from ibs_notify.rpc.channel import open_channel
from ibs_notify.rpc.client_credentials import has_credentials
from ibs_notify.rpc.peer import ADMINISTRATOR
from ibs_notify.settings import ADDRESSES, PREFIX, SERVICES, Settings
from ironcore.notification.v1 import config_service_pb2, config_service_pb2_grpc, settings_pb2

ASK_SECONDS = 5.0
CLI = "ironcore-backup"
_WHERE = ("home", "tls_directory", "token_file", *ADDRESSES)
_FILES = ("tls_directory", "token_file")


async def installation_settings(settings: Settings) -> settings_pb2.Settings | None:
    """What Config holds for the whole installation; None where it does not tell us now."""
    if not has_credentials(settings):  # as of the account of the services, which is nobody's way in
        return None
    with suppress(grpc.aio.AioRpcError, NotificationError):
        async with open_channel(settings, "config") as channel:
            stub = config_service_pb2_grpc.ConfigServiceStub(channel)
            request = config_service_pb2.GetSettingsRequest()
            return (await stub.GetSettings(request, timeout=ASK_SECONDS)).settings
    return None


def greeting(
    settings: Settings,
    installation: settings_pb2.Settings | None,
    cli: str,
    *,
    console: bool = True,
) -> str:
    """The text, with ``cli`` as the command that reaches the CLI; ``console``: it runs as well."""
    missing = _to_set(installation) if installation else ()
    update = f"{cli} notification settings update"
    lines = [
        f"IBS Notifications is running; its data is in {settings.home.absolute()}.",
        "",
        *([f"  Console   {settings.console_url}", ""] if console else ()),
        *(f"  {service.capitalize():<10}{settings.address(service)}" for service in SERVICES),
        "",
        *_how_to_get_in(settings),
        *(["Still to set:"] if missing else ()),
        *(f"  {line}" for what, flag in missing for line in (what, f"  {update} {flag}")),
        *([""] if missing else ()),
        "Try, in another terminal:",
        *(f"  export {each}" for each in _to_export(settings)),
        f"  {cli} notification event-types list",
        f'  {cli} notification emit --type backup.failed --subject "Backup failed for vm/12345"',
        f"  {cli} notification event list",
        "",
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _how_to_get_in(settings: Settings) -> list[str]:
    if not settings.secured:
        return [
            "Nobody is asked who they are, so it is on loopback, for trying things out. For more:",
            "From zero to production, in docs/operating.md.",
            "",
        ]
    key = Path(settings.tls_directory) / f"{ADMINISTRATOR}.key"
    return [
        "All of it is TLS. The command line comes in with the token of IBS_NOTIFY_TOKEN or of the",
        "setting token_file, else as the administrator where it can read",
        f"  {key.absolute()}",
        "",
    ]


def _to_set(installation: settings_pb2.Settings) -> list[tuple[str, str]]:
    """What is missing and why it matters, and the flag of ``settings update`` that sets it."""
    recipients = (
        "default recipients: mail that names nobody waits until there are some",
        "--default-recipient ops@example.com",
    )
    public_url = (
        "public URL: notifications link to tasks under it",
        "--public-url https://ibs.example.com",
    )
    time_zone = (
        "time zone: of digests and of the times in mails; UTC until then",
        "--timezone Europe/Berlin",
    )
    missing = {
        recipients: not installation.default_recipients,
        public_url: not installation.public_url,
        time_zone: installation.time_zone in ("", "UTC"),
    }
    return [each for each, is_missing in missing.items() if is_missing]


def _to_export(settings: Settings) -> Iterator[str]:
    """What another terminal must know to find this installation."""
    usual = Settings()
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.name in _WHERE and value != getattr(usual, field.name):
            is_path = isinstance(value, Path) or field.name in _FILES
            text = str(Path(value).absolute()) if is_path else str(value)
            yield f"{PREFIX}{field.name.upper()}={shlex.quote(text)}"


def cli_command() -> str:
    """How a shell here calls the CLI of this environment."""
    ours = Path(sys.executable).with_name(CLI)
    found = shutil.which(CLI)
    if found and Path(found).absolute() == ours:
        return CLI
    here = Path.cwd()
    return shlex.quote(str(ours.relative_to(here) if ours.is_relative_to(here) else ours))
