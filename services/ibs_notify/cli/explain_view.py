"""An explanation as people read it at night: first who hears, then who does not; 80 columns do."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ibs_notify.cli.delivery_view import SHORT_ID, next_attempt, outcome
from ibs_notify.cli.output import moment, paragraph, severity
from ibs_notify.cli.rule_view import HOLDS, HOLDS_NOT, show_rule
from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def show_explanation(
    answer: pb.ExplainResponse, target: str, *, why_not: bool, verbose: bool
) -> None:
    """``target``: the only one asked about, or empty.

    ``why_not`` leaves out how those hear who do, and adds the near misses of the others.
    """
    hearers = [each for each in answer.subscriptions if each.hears]
    others = [each for each in answer.subscriptions if not each.hears]
    _show_event(answer)
    click.echo()
    paragraph(_summary(answer, target, len(hearers), len(others)))
    for each in hearers:
        if not why_not:
            _show_whole(each)
        elif target:
            _show_sentence(each)
    for each in others:
        if verbose or (each.rule.holds and not why_not):
            _show_whole(each)
        else:
            _show_sentence(each)
        if why_not or verbose:
            _show_near_misses(each.near_misses)


def _show_event(answer: pb.ExplainResponse) -> None:
    event = answer.event
    words = (event.event_id, severity(event.severity), event.type)
    paragraph("  ".join(each for each in words if each))
    for line in (event.subject, event.resource and f"about {event.resource}"):
        if line:
            paragraph(line, first="  ", rest="    ")


def _summary(answer: pb.ExplainResponse, target: str, hearing: int, others: int) -> str:
    if answer.own and not hearing and not others:
        return "Only the inbox has it."
    if not hearing and not others:
        whom = f"No group tells {target}" if target else "No group has a target"
        return (
            f"{whom}, so nothing leads there: ironcore-backup notification group target add --help"
        )
    if answer.dry_run:
        hears, hear, does_not, do_not = "would hear", "would hear", "would not", "would not"
    else:
        hears, hear, does_not, do_not = "hears", "hear", "does not", "do not"
    if target:
        who = f"{target} {hears if hearing else f'{does_not} hear'}"
    else:
        who = f"{hearing:,} {hear}" if hearing > 1 else f"{hearing or 'Nobody'} {hears}"
    several = hearing and others and not target
    rest = f", {others:,} {do_not if others > 1 else does_not}" if several else ""
    nothing_sent = " Nothing is stored or sent." if answer.dry_run else ""
    return f"{who} of it{rest}, by the rules of revision {answer.revision}.{nothing_sent}"


def _show_sentence(each: pb.SubscriptionExplanation) -> None:
    click.echo()
    paragraph(f"{_head(each)}: {each.sentence}", rest="    ")


def _show_whole(each: pb.SubscriptionExplanation) -> None:
    click.echo()
    paragraph(_head(each), rest="    ")
    paragraph(each.sentence, first="  ", rest="  ")
    if each.HasField("rule"):
        click.echo("  rule")
        show_rule(each.rule, indent="    ")
    # The rule has been shown part by part.
    lines = [(one.stage, _sentence(one)) for one in each.decisions if one.stage != "rule"]
    if each.HasField("delivery"):
        short = each.delivery.delivery_id[:SHORT_ID]
        lines.append(("delivery", f"{short}: {outcome(each.delivery)}"))
    elif each.disposition.delivery_id:
        short = each.disposition.delivery_id[:SHORT_ID]
        lines.append(("delivery", f"{short}: how far it is is not known"))
    width = max((len(name) for name, _ in lines), default=0)
    for name, text in lines:
        paragraph(f"{name:<{width}}  {text}", first="  ", rest=" " * (width + 4))
    _show_attempts(each.delivery, indent=" " * (width + 4))


def _head(each: pb.SubscriptionExplanation) -> str:
    return f"{HOLDS if each.hears else HOLDS_NOT} {each.target} via {each.group}"


def _sentence(one: pb.Decision) -> str:
    sentence = one.sentence or one.reason
    return sentence if one.pointer in sentence else f"{sentence} ({one.pointer})"


def _show_attempts(delivery: delivery_pb2.Delivery, *, indent: str) -> None:
    for each in delivery.attempts:
        code = f" {each.code}" if each.code else ""
        reply = f": {each.reply}" if each.reply else ""
        paragraph(
            f"{each.number}. {moment(each.start_time)} {each.outcome}{code}{reply}",
            first=indent,
            rest=indent + "   ",
        )
    next_try = next_attempt(delivery)
    if next_try:
        paragraph(f"next try at {next_try}", first=indent)


def _show_near_misses(near_misses: Sequence[str]) -> None:
    for each in near_misses:
        paragraph(f"near miss: {each}", first="  ", rest="    ")
