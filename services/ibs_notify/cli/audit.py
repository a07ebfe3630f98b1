"""``notification audit …``: who changed what, and whether that was written down as it was."""

from __future__ import annotations

import heapq
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import click

from ibs_notify.cli.audit_view import Found, Verified, show_entries, show_verdicts
from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import document, output_option, print_document
from ibs_notify.cli.params import time
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.rpc.convert import moment_to_proto
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import audit_service_pb2 as pb

_KNOWN = re.compile(r"(config|router|delivery):([1-9][0-9]{0,17}):([0-9a-f]{64})")
_PAGE = 1000
_service_option = click.option(
    "--service",
    type=click.Choice(["all", *SERVICES]),
    default="all",
    show_default=True,
    help="Whose log.",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody noted of a log at an earlier time."""

    service: str
    sequence: int
    hash: bytes


def known(text: str) -> Known:
    """``SERVICE:NUMBER:HASH``, as the type of an option."""
    matched = _KNOWN.fullmatch(text.strip().lower())
    if matched is None:
        raise click.BadParameter(
            f"{text!r} is not of the form SERVICE:NUMBER:HASH, as audit verify prints it"
        )
    return Known(matched[1], int(matched[2]), bytes.fromhex(matched[3]))


@click.group("audit")
def audit() -> None:
    """The audit log: who changed what, and the proof that nobody rewrote it.

    \b
    Example:
      ironcore-backup notification audit list --since 1d
    """


@audit.command("list")
@_service_option
@click.option("--actor", default="", metavar="NAME", help="Only what this one did.")
@click.option(
    "--action", default="", metavar="PREFIX", help="Only actions that begin so: target. or token."
)
@click.option("--subject", default="", metavar="NAME", help="Only of this: target/ops-smtp.")
@click.option("--since", "--after", type=time, help="At or after: ISO 8601, or 2h ago.")
@click.option("--until", "--before", type=time, help="Before.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def list_entries(service: str, limit: int, output: str, **flags: Any) -> None:
    """List who changed what, newest first, with what it was before and is after.

    \b
    Examples:
      ironcore-backup notification audit list
      ironcore-backup notification audit list --actor alice --action target. --since 7d
      ironcore-backup notification audit list --subject target/ops-smtp -o json
    """
    with Session() as session:
        logs = [_entries(session, each, limit, **flags) for each in _services(service)]
        merged = heapq.merge(*logs, key=_moment, reverse=True)
        found = list(islice(merged, limit))
    if output == "table":
        show_entries(found)
    else:
        print_document([{"service": log, **document(entry)} for log, entry in found], output)


@audit.command("verify")
@_service_option
@click.option(
    "--known",
    "noted",
    type=known,
    multiple=True,
    metavar="SERVICE:NUMBER:HASH",
    help="What an earlier verify printed: finds a log that was cut or written anew.",
)
@output_option
def verify(service: str, noted: Sequence[Known], output: str) -> None:
    """Compute the hashes of each log anew. Exit code 1 where one is not as it was written.

    Note what it prints elsewhere, where whoever can write to the databases cannot.

    \b
    Examples:
      ironcore-backup notification audit verify
      ironcore-backup notification audit verify --service config --known config:17:0d5f…
    """
    asked = _services(service)
    unasked = sorted({each.service for each in noted} - set(asked))
    if unasked:
        raise click.UsageError(f"--known is of {unasked[0]}, whose log is not asked for")
    with Session() as session:
        verified = [(each, _verify(session, each, noted)) for each in asked]
    if output == "table":
        show_verdicts(verified)
    else:
        print_document([{"service": log, **document(each)} for log, each in verified], output)
    if not all(each.intact for _, each in verified):
        sys.exit(Exit.NOT_SO)


def _services(service: str) -> Sequence[ServiceName]:
    return [each for each in SERVICES if service in ("all", each)]


def _entries(
    session: Session,
    service: ServiceName,
    limit: int,
    *,
    actor: str,
    action: str,
    subject: str,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Found]:
    request = pb.ListAuditEntriesRequest(
        page_size=min(limit, _PAGE),
        actor=actor,
        action_prefix=action,
        subject=subject,
        since=moment_to_proto(since),
        until=moment_to_proto(until),
    )
    while True:
        answer = session.call(session.audit(service).ListAuditEntries, request)
        for entry in answer.entries:
            yield service, entry
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def _moment(found: Found) -> tuple[int, int]:
    return found[1].time.seconds, found[1].time.nanos


def _verify(session: Session, service: ServiceName, noted: Sequence[Known]) -> Verified:
    """The first verdict that is bad, of those with each of what was noted; else the last."""
    requests = [
        pb.VerifyAuditLogRequest(known_sequence=each.sequence, known_hash=each.hash)
        for each in noted
        if each.service == service
    ]
    verdict = pb.VerifyAuditLogResponse()
    for request in requests or [pb.VerifyAuditLogRequest()]:
        method = session.audit(service).VerifyAuditLog
        verdict = session.call(method, request, timeout=LONG_CALL_SECONDS)
        if not verdict.intact:
            break
    return verdict
