"""Previews as people see them."""

from __future__ import annotations

import click

from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import delivery_service_pb2 as pb

PARTS = ("subject", "text", "html", "content")


def part_of(preview: pb.PreviewMessageResponse, part: str) -> bytes:
    """One part as it is, for a file or a browser."""
    match part:
        case "subject":
            return f"{preview.subject}\n".encode()
        case "text":
            return preview.text.encode()
        case "html":
            return preview.html.encode()
        case _:
            return preview.content


def show_preview(preview: pb.PreviewMessageResponse) -> None:
    """The headers, then the text; of a mail it is said whether there is HTML too."""
    if preview.method:
        click.echo(harmless(f"{preview.method} {preview.url}"))
    for header in preview.headers:
        click.echo(harmless(f"{header.name}: {header.value}"))
    click.echo()
    click.echo(harmless(preview.text, keep_lines=True).rstrip("\n"))
    if preview.html:
        click.echo("\nand HTML: --part html > mail.html shows it in a browser")
