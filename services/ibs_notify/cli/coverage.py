"""``notification coverage``: what nobody hears of, before it matters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

import click

from ibs_notify.cli.errors import Exit
from ibs_notify.cli.output import (
    Table,
    counted,
    document,
    moment,
    output_option,
    paragraph,
    print_document,
    print_table,
    warn_all,
)
from ibs_notify.cli.params import time
from ibs_notify.cli.session import LONG_CALL_SECONDS, Session
from ibs_notify.domain.harmless import harmless
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import router_service_pb2 as pb

_HEADINGS = {
    pb.COVERAGE_KIND_UNHEARD_ALARM: "Alarms of our own that nobody hears of",
    pb.COVERAGE_KIND_UNHEARD_CRITICAL_TYPE: "Critical, and only in the inbox",
    pb.COVERAGE_KIND_UNREACHABLE_GROUP: "Groups that reach nobody",
    pb.COVERAGE_KIND_WAITING_ERROR: "Errors that nobody hears of until a target works again",
    pb.COVERAGE_KIND_UNHEARD_RESOURCE: "Datastores and jobs that nobody hears of",
    pb.COVERAGE_KIND_UNHEARD_PROBLEM: "Datastores with errors that nobody hears of",
    pb.COVERAGE_KIND_UNHEARD_ERROR_TYPE: "Errors that are only in the inbox",
    pb.COVERAGE_KIND_IDLE_RULE: "Rules that matched nothing",
}


PLACES_AT_ONCE = 500


@click.command("coverage")
@click.option("--since", type=time, help="Look at events accepted since; default: 7d ago.")
@click.option("--strict", is_flag=True, help="Exit code 1 where there is a gap.")
@click.option("--places", is_flag=True, help="List what is looked at, with who hears of it.")
@output_option
def coverage(since: datetime | None, strict: bool, places: bool, output: str) -> None:
    """Find what nobody hears of, rules that match nothing and groups that reach nobody.

    \b
    Examples:
      ironcore-backup notification coverage
      ironcore-backup notification coverage --since 30d --strict
      ironcore-backup notification coverage --places
    """
    if places:
        if strict or since is not None:
            raise click.UsageError("--places lists what is looked at: no --since, no --strict.")
        _list_places(output)
        return
    request = pb.GetCoverageRequest(since=moment_to_proto(since))
    with Session() as session:
        answer = session.call(session.router.GetCoverage, request, timeout=LONG_CALL_SECONDS)
    if output == "table":
        _show(answer)
    else:
        print_document(document(answer), output)
    warn_all(answer.warnings)
    if strict and answer.findings:
        sys.exit(Exit.NOT_SO)


def _list_places(output: str) -> None:
    """Every datastore and job, with who is told of its errors by the rules."""
    pages: list[pb.ListHearingsResponse] = []
    request = pb.ListHearingsRequest(looked_at=True, page_size=PLACES_AT_ONCE)
    with Session() as session:
        while not pages or request.page_token:
            answer = session.call(session.router.ListHearings, request, timeout=LONG_CALL_SECONDS)
            pages.append(answer)
            request.page_token = answer.next_page_token
    if output != "table":
        print_document([document(each) for each in pages], output)
        return
    rows = [_place(each, page.subscriptions) for page in pages for each in page.resources]
    columns = ("Datastore or job", "Told of its errors", "Errors that nobody is told of")
    print_table(Table(columns, rows, empty="no datastore is known yet"))


def _place(
    of: pb.ResourceHearing, subscriptions: Sequence[pb.HearingSubscription]
) -> tuple[str, str, str]:
    errors = [each for each in of.types if each.severity >= Severity.ERROR]
    told = {
        subscription.group
        for each in errors
        for subscription in map(subscriptions.__getitem__, each.subscriptions)
        if subscription.effect == pb.HEARING_EFFECT_TELLS
    }
    unheard = [each.type for each in errors if not each.told]
    return of.resource, ", ".join(sorted(told)) or "nobody", ", ".join(unheard)


def _show(answer: pb.GetCoverageResponse) -> None:
    count = answer.resource_count
    places = f"{count:,} {'datastore or job' if count == 1 else 'datastores and jobs'}"
    looked_at = f"looked at: {places}, {counted(answer.rule_count, 'rule')}"
    _show_silences(answer.silences)
    if not answer.findings:
        active = [each.silence.silence_id for each in answer.silences if each.silence.active]
        but = f", but for what is silenced now ({', '.join(active)})" if active else ""
        heard = "somebody hears of everything critical, and of every error"
        click.echo(f"no gaps{but}: {'else ' if active else ''}{heard} ({looked_at})")
        return
    # The gravest first, also among the kinds.
    order = list(dict.fromkeys(each.kind for each in answer.findings))
    found = sorted(answer.findings, key=lambda each: order.index(each.kind))
    for kind, each in groupby(found, key=lambda finding: finding.kind):
        _show_kind(_HEADINGS.get(kind, "Other gaps"), list(each))
    click.echo(f"{counted(len(answer.findings), 'gap')} ({looked_at})")


def _show_silences(silences: Sequence[pb.CoverageSilence]) -> None:
    """Whatever is said of gaps: what these match nobody is told of, meanwhile."""
    if not silences:
        return
    click.echo(f"Silences that hide errors or what is critical ({len(silences):,}):")
    for each in silences:
        silence = each.silence
        word = "until" if silence.active else "from"
        since = f"; hid {counted(each.event_count, 'error')}" if each.event_count else ""
        types = f" ({', '.join(each.types)})" if each.types else ""
        when = f"{word} {moment(silence.next_change_time)}"
        paragraph(
            f"{silence.silence_id}, {when}: {silence.rule}{types}{since}", first="  ", rest="    "
        )
    click.echo()


def _show_kind(heading: str, findings: Sequence[pb.CoverageFinding]) -> None:
    click.echo(f"{heading} ({len(findings):,}):")
    for each in findings:
        paragraph(f"{each.subject}: {each.sentence}", first="  ", rest="    ")
        if each.advice:
            # Whole, so that a command in it can be copied.
            click.echo(f"    → {harmless(each.advice)}")
    click.echo()
