"""The rule workshop: what a rule says while it is written, and which events it would match."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiohttp import web

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.charts import Chart, Layer, event_chart
from ibs_notify.console.forms import Form, read_form
from ibs_notify.console.groups.draft import draft_of_form, scope_of
from ibs_notify.console.groups.overlap import Overlap
from ibs_notify.console.pages.charted import charted
from ibs_notify.console.pages.event_history import oldest_event
from ibs_notify.console.pages.route import Route
from ibs_notify.console.periods import Period
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.rule_text import LABELS, Units, seen_labels, seen_values
from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.event_pb2 import Event

PATH = "/rules"
DAYS = 7
SHOWN = 10
LOOKED_AT = 100
CHART_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Day:
    """How many events; ``name`` is the day of the week, of the visitor's zone."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The events of the last days that a rule matches; ``failure`` says why there are none.

    ``severities`` are those that there are of them, the worst first, each with how many; ``grave``
    of them are errors or worse.
    ``outside`` is how many more it matches that the scope of its group leaves out. ``since`` is
    when the oldest event of all is of, where that is within these days; ``is_whole``: there are
    older ones, so that so many a day can be told.
    """

    events: tuple[router_pb.EventRecord, ...] = ()
    days: tuple[Day, ...] = ()
    severities: tuple[Layer, ...] = ()
    grave: int = 0
    total: int = 0
    outside: int = 0
    counted_since: datetime | None = None
    since: datetime | None = None
    is_whole: bool = False
    is_more: bool = False
    failure: str = ""
    overlap: Overlap | None = None
    """Of a rule in a group's form that has a target beside it."""


async def show(visit: Visit) -> web.StreamResponse:
    """A page of its own: for who writes rules elsewhere, and where there are no scripts."""
    return await _page(visit, Form({"rule": [visit.request.query.get("rule", "")]}), "rule")


async def check(visit: Visit) -> web.StreamResponse:
    """The same for the field of a form, which the form's Check button names."""
    form = await read_form(visit.request)
    return await _page(visit, form, visit.request.query.get("field", "rule"))


async def analyze(visit: Visit) -> web.StreamResponse:
    """What a script paints and offers. Places are UTF-16 units, as browsers count."""
    form = await read_form(visit.request)
    rule = form.raw("rule")
    units = Units(rule)
    position = units.characters(form.number("position"))
    answer = await analyzed(visit, rule, position)
    start, end = answer.completion_start, answer.completion_end
    offered = [
        (each.text, _word(each.kind), each.description) for each in answer.completions
    ] + await _seen(visit, answer.completion_field, rule[start:position])
    # A word that may become a right one is no fault yet; nor is it one to go on after `and`.
    is_written = bool(offered) and start == answer.fault.position < position
    goes_on = len(answer.fault.fixed_rule) < position == len(rule)
    return web.json_response(
        {
            "tokens": [
                [
                    "written" if is_written and start == each.start else _word(each.kind),
                    units.units(each.start),
                    units.units(each.end),
                ]
                for each in answer.tokens
            ],
            "right": not answer.HasField("fault"),
            "fault": units.units(answer.fault.position)
            if answer.HasField("fault") and not is_written
            else None,
            "verdict": visit.render(
                "parts/rule_verdict.html",
                rule=rule,
                analysis=answer,
                is_written=is_written,
                goes_on=goes_on,
            ).text,
            "start": units.units(start),
            "end": units.units(end),
            "completions": list({text: (text, kind, say) for text, kind, say in offered}.values()),
        }
    )


async def show_matches(visit: Visit) -> web.StreamResponse:
    """The part of a page beside a rule."""
    form = await read_form(visit.request)
    field = form.text("field") or "rule"
    matches = await _matches_of(visit, form, field)
    return visit.render(
        "parts/rule_matches.html",
        matches=matches,
        rule=form.raw(field),
        days=DAYS,
        gathered=field == "digest_rule",
    )


def _scope_in(form: Form) -> router_pb.EventScope | None:
    """The scope of the group that the form is about; as it stands there, saved or not."""
    return scope_of(draft_of_form(form)) if "scope" in form.values else None


async def _page(visit: Visit, form: Form, field: str) -> web.Response:
    rule = form.raw(field)
    analysis = await analyzed(visit, rule) if rule.strip() else None
    is_right = analysis is not None and not analysis.HasField("fault")
    return visit.render(
        "pages/rules.html",
        rule=rule,
        analysis=analysis,
        matches=await _matches_of(visit, form, field) if is_right else None,
        days=DAYS,
    )


async def analyzed(visit: Visit, rule: str, position: int = 0) -> config_pb.AnalyzeRuleResponse:
    """What Config says of a rule; ``position`` counts characters."""
    request = config_pb.AnalyzeRuleRequest(rule=rule, position=position)
    return await visit.api.call(visit.api.config.AnalyzeRule, request)


async def doubt_of(visit: Visit, rule: str) -> config_pb.AnalyzeRuleResponse | None:
    """What Config says of a rule that may never do what it says, and matches nothing of the last
    days; None of any other. Where that cannot be found out, nobody is kept from saving it.
    """
    analysis = await unless_failed(analyzed(visit, rule)) if rule else None
    if analysis is None or not analysis.warnings:
        return None
    after = moment_to_proto(visit.now() - timedelta(days=DAYS))
    sought = router_pb.EventFilter(rule=rule, after=after)
    request = router_pb.ListEventsRequest(filter=sought, page_size=1)
    found = await unless_failed(visit.api.call(visit.api.router.ListEvents, request))
    return None if found is None or found.events else analysis


DOUBT = f"matches no event of the last {DAYS} days, and may never match one"
"""Of a rule with a doubt; before it is saved all the same."""


async def _seen(visit: Visit, field: str, written: str) -> list[tuple[str, str, str]]:
    """Values and labels of the newest events. Where Router does not answer, there are none."""
    is_label = not field and written.lower().startswith(LABELS)
    if not field and not is_label:
        return []
    request = router_pb.ListEventsRequest(page_size=LOOKED_AT)
    answer = await unless_failed(
        visit.api.call(visit.api.router.ListEvents, request, timeout=CHART_SECONDS)
    )
    if answer is None:
        return []
    events: list[Event] = [each.event for each in answer.events]
    if is_label:
        return [(text, "field", say) for text, say in seen_labels(events, written)]
    return [(text, "value", say) for text, say in seen_values(events, field, written)]


async def _matches_of(visit: Visit, form: Form, field: str) -> Matches:
    matches, overlap = await asyncio.gather(
        _matches(visit, form.raw(field), _scope_in(form)), _overlap(visit, form, field)
    )
    return replace(matches, overlap=overlap)


async def _matches(visit: Visit, rule: str, scope: router_pb.EventScope | None) -> Matches:
    if not rule.strip():
        return Matches()
    period = _period(visit)
    sought = router_pb.EventFilter(rule=rule, after=moment_to_proto(period.after))
    events = router_pb.ListEventsRequest(filter=sought, page_size=SHOWN, scope=scope)
    listed, counted, oldest = await asyncio.gather(
        attempted(visit.api.call(visit.api.router.ListEvents, events)),
        unless_failed(charted(visit, period, sought, CHART_SECONDS, scope)),
        oldest_event(visit.within(CHART_SECONDS), period.after),
    )
    if isinstance(listed, InvalidArgument):
        return Matches()  # the verdict says it, at its place
    if isinstance(listed, NotificationError):
        return Matches(failure=listed.message)
    matches = Matches(tuple(listed.events), is_more=bool(listed.next_page_token))
    if counted is None:
        return matches
    matches = replace(matches, outside=counted.out_of_scope_count)
    return _with_days(matches, event_chart(counted, period), oldest)


async def _overlap(visit: Visit, form: Form, field: str) -> Overlap | None:
    """What other groups bring to the target of the row that ``field`` stands in anyhow, if any."""
    rule, target = form.raw(field), form.text(_target_beside(field))
    scope = _scope_in(form)
    if not rule.strip() or not target or scope is None:
        return None
    sought = router_pb.EventFilter(rule=rule, after=moment_to_proto(_period(visit).after))
    request = router_pb.PreviewOverlapRequest(filter=sought, scope=scope, target=target)
    answer = await unless_failed(
        visit.api.call(visit.api.router.PreviewOverlap, request, timeout=CHART_SECONDS)
    )
    return Overlap(target, answer, form.is_on("digest")) if answer is not None else None


def _target_beside(field: str) -> str:
    """The field of the target of a row, by that of its rule; empty of any other."""
    name, _, row = field.partition("-")
    return f"target-{row}" if name == "rule" and row else ""


def _period(visit: Visit) -> Period:
    """The days whose events are looked at."""
    day = timedelta(days=1)
    return Period.up_to(visit.now(), DAYS * day, day, visit.zone)


def _with_days(matches: Matches, chart: Chart, oldest: datetime | None) -> Matches:
    zone, begin = chart.period.zone, chart.period.after
    days = [Day(f"{in_zone(each.start, zone):%a}", sum(each.counts)) for each in chart.bars]
    is_all_counted = chart.counted_since is None and oldest is not None
    return replace(
        matches,
        days=tuple(days),
        severities=tuple(each for each in chart.layers if each.total),
        grave=chart.grave,
        total=chart.total,
        counted_since=chart.counted_since,
        since=oldest if is_all_counted and oldest != begin else None,
        is_whole=is_all_counted and oldest == begin,
    )


def _word(kind: config_pb.RuleTokenKind.ValueType) -> str:
    return config_pb.RuleTokenKind.Name(kind).removeprefix("RULE_TOKEN_KIND_").lower()


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, check),
    Route("POST", f"{PATH}/analyze", analyze),
    Route("POST", f"{PATH}/matches", show_matches),
)
