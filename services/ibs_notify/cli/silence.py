"""``notification silence …``: times in which nobody is told of some events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from ibs_notify.cli.complete import silence_ids
from ibs_notify.cli.output import document, output_option, print_document
from ibs_notify.cli.params import duration, time_ahead
from ibs_notify.cli.session import Session
from ibs_notify.cli.silence_view import show_silence, show_silences
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1 import router_service_pb2 as pb


@click.group("silence")
def silence() -> None:
    """Silences: matching events go to the inbox and to metric servers, but nobody is told.

    \b
    Example:
      ironcore-backup notification silence list
    """


@silence.command("create")
@click.option("--rule", required=True, metavar="RULE", help="Which events.")
@click.option("--for", "span", type=duration, metavar="SPAN", help="So long: 2h, 1d12h.")
@click.option("--from", "start", type=time_ahead, metavar="TIME", help="From then; default: now.")
@click.option("--until", "end", type=time_ahead, metavar="TIME", help="Until then.")
@click.option("--weekly", metavar="WINDOW", help='Every week, such as "sat 22:00-24:00".')
@click.option("--timezone", metavar="ZONE", help="Of --weekly; default: the setting.")
@click.option("--comment", required=True, help="Why. It is shown wherever the silence is.")
@output_option
def create(rule: str, comment: str, output: str, **when: Any) -> None:
    """Make a silence: for a span of time, from one time to another, or every week.

    A TIME is ISO 8601, in your local zone where it names none, or a span ahead: 2h is in two hours.

    \b
    Examples:
      ironcore-backup notification silence create --for 2h \\
        --rule "resource under /datastore/ibs-primary" --comment "disk swap"
      ironcore-backup notification silence create --rule "type = backup.warning" \\
        --from 2026-05-21T22:00 --until 2026-05-22T06:00 --comment "migration"
      ironcore-backup notification silence create --rule "type starts-with sync." \\
        --weekly "sat 22:00-24:00" --timezone Europe/Vienna --comment "maintenance"
    """
    message = pb.Silence(rule=rule, comment=comment)
    _set_time(message, SystemClock().now(), **when)
    with Session() as session:
        request = pb.CreateSilenceRequest(silence=message)
        made = session.call(session.router.CreateSilence, request).silence
    _print(made, output)


@silence.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that ended.")
@click.option("--text", metavar="TEXT", help="With this in the id, rule, comment or author.")
@output_option
def list_silences(all_: bool, text: str | None, output: str) -> None:
    """List the silences that are in force or to come, newest first.

    \b
    Examples:
      ironcore-backup notification silence list --all
      ironcore-backup notification silence list --text nightly
    """
    if text == "":
        raise click.UsageError("--text is empty")
    with Session() as session:
        found = list(_silences(session, include_expired=all_, text=text or ""))
    if output == "table":
        empty = f"no such silence has {text!r} in it" if text else "no silences: everything is told"
        show_silences(found, SystemClock().now(), empty=empty)
    else:
        print_document([document(each) for each in found], output)


@silence.command("show")
@click.argument("silence_id", metavar="ID", shell_complete=silence_ids)
@output_option
def show(silence_id: str, output: str) -> None:
    """Show a silence, also one that ended.

    \b
    Example:
      ironcore-backup notification silence show sil-7
    """
    with Session() as session:
        found = _silences(session, include_expired=True)
        wanted = next((each for each in found if each.silence_id == silence_id), None)
    if wanted is None:
        raise NotFound(
            Reason.SILENCE_NOT_FOUND,
            f"there is no silence {silence_id}",
            advice="silence list --all shows them",
        )
    _print(wanted, output)


@silence.command("expire")
@click.argument("silence_id", metavar="ID", shell_complete=silence_ids)
@output_option
def expire(silence_id: str, output: str) -> None:
    """End a silence now. What it silenced stays silenced.

    \b
    Example:
      ironcore-backup notification silence expire sil-7
    """
    with Session() as session:
        request = pb.ExpireSilenceRequest(silence_id=silence_id)
        ended = session.call(session.router.ExpireSilence, request).silence
    _print(ended, output)


def _silences(session: Session, *, include_expired: bool, text: str = "") -> Iterator[pb.Silence]:
    request = pb.ListSilencesRequest(page_size=1000, include_expired=include_expired, text=text)
    while True:
        answer = session.call(session.router.ListSilences, request)
        yield from answer.silences
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def _print(found: pb.Silence, output: str) -> None:
    if output == "table":
        show_silence(found, SystemClock().now())
    else:
        print_document(document(found), output)


def _set_time(
    message: pb.Silence,
    now: datetime,
    *,
    span: timedelta | None,
    start: datetime | None,
    end: datetime | None,
    weekly: str | None,
    timezone: str | None,
) -> None:
    """Exactly one way to say when; the Router checks the times themselves."""
    if weekly is not None:
        if span is not None or start is not None:
            raise click.UsageError("--weekly recurs: it goes with --until, not --for or --from")
        message.weekly = weekly
        message.time_zone = timezone or ""
    elif timezone is not None:
        raise click.UsageError(
            "--timezone is of --weekly; a TIME may name its own, as in 22:00+02:00"
        )
    elif (span is None) == (end is None):
        raise click.UsageError("until when? Give one of --for, --until and --weekly")
    else:
        start = start or now
        end = start + span if span is not None else end
        message.start_time.FromDatetime(start)
    if end is not None:
        message.end_time.FromDatetime(end)
