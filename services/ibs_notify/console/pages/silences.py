"""Silences: times in which matching events are not told."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aiohttp import web

from ibs_notify.console.attempts import few_at_once, unless_failed
from ibs_notify.console.commands import silences as command
from ibs_notify.console.coverage.held import Held, held
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.groups.found import other_spelling
from ibs_notify.console.login.sessions import Way
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.rules import DOUBT, analyzed, doubt_of
from ibs_notify.console.pages.silence_form import (
    NAMES,
    When,
    quick_spans,
    request_of,
    when_of,
    windows_of,
)
from ibs_notify.console.pages.would_silence import would_silence
from ibs_notify.console.rendering import moment_of
from ibs_notify.console.time_zone import ZONES
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.rule_text import but_critical
from ibs_notify.domain.errors import InvalidArgument, NotificationError, Unauthenticated
from ironcore.notification.v1.config_service_pb2 import AnalyzeRuleResponse
from ironcore.notification.v1.event_pb2 import SEVERITY_CRITICAL
from ironcore.notification.v1.router_service_pb2 import (
    EventFilter,
    ExpireSilenceRequest,
    ListSilencesRequest,
    Silence,
)

PATH = "/silences"
NEW = "/new-silence"
PAGE_SIZE = 100
SHOWN_EVENTS = 8


class Standing(StrEnum):
    """Where a silence stands now."""

    ACTIVE = "in force"
    COMING = "to come"
    BETWEEN = "between windows"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Shown:
    """A silence in the list. ``doubt``: why it may match nothing, with what was probably meant."""

    silence: Silence
    standing: Standing
    doubt: AnalyzeRuleResponse | None = None


def standing_of(silence: Silence, now: datetime) -> Standing:
    """Where it stands at ``now``."""
    start, end = moment_of(silence.start_time), moment_of(silence.end_time)
    if silence.active:
        return Standing.ACTIVE
    if end is not None and end <= now:
        return Standing.ENDED
    if start is not None and start > now:
        return Standing.COMING
    return Standing.BETWEEN if silence.weekly else Standing.ENDED


async def show(visit: Visit) -> web.StreamResponse:
    """Those in force and to come; with ``?all=1`` also those that ended.

    With ``?text=…`` only those that have it in them.
    """
    asked = visit.request.query
    request = ListSilencesRequest(
        page_size=PAGE_SIZE,
        page_token=asked.get("page_token", ""),
        include_expired=asked.get("all") == "1",
        text=asked.get("text", "").strip(),
    )
    found = await visit.api.call(visit.api.router.ListSilences, request)
    now = visit.now()
    standings = [(each, standing_of(each, now)) for each in found.silences]
    open_rules = {each.rule for each, standing in standings if standing is not Standing.ENDED}
    doubts = await _doubts(visit, open_rules)
    shown = [Shown(each, standing, doubts.get(each.rule)) for each, standing in standings]
    order = list(Standing)
    return visit.render(
        "pages/silences.html",
        block="silences" if visit.is_partial else "",
        silences=sorted(shown, key=lambda each: order.index(each.standing)),
        with_ended=request.include_expired,
        text=request.text,
        other_spelling=other_spelling(request.text),
        next_page_token=found.next_page_token,
        page_token=request.page_token,
        command=command.list_(request),
    )


async def _doubts(visit: Visit, rules: Collection[str]) -> Mapping[str, AnalyzeRuleResponse]:
    async def ask(rule: str) -> tuple[str, AnalyzeRuleResponse | None]:
        return rule, await doubt_of(visit, rule)

    return {rule: doubt for rule, doubt in await few_at_once(ask, rules) if doubt}


async def show_new(visit: Visit) -> web.StreamResponse:
    """An empty form, or one that other pages filled: ``?rule=…&comment=…``."""
    given = visit.request.query
    return await _form_page(visit, Form({name: given.getall(name) for name in given}))


async def create(visit: Visit) -> web.StreamResponse:
    """Make it, or show the form again with what is wrong."""
    form = await read_form(visit.request)
    try:
        request = request_of(form, visit.now(), visit.time_zone)
        rule = request.silence.rule
        if form.text("sure") != rule and (doubt := await doubt_of(visit, rule)):
            return await _form_page(visit, form, _UNSURE, doubt)
        made = await visit.api.call(visit.api.router.CreateSilence, request)
    except SHOWN_AGAIN as error:
        return await _form_page(visit, form, faults_of(error, NAMES))
    text, way = await _made(visit, made.silence)
    visit.notice(text, way=way)
    raise web.HTTPSeeOther(PATH)


async def _made(visit: Visit, silence: Silence) -> tuple[str, Way | None]:
    """What there is to know of it at once, and where to go on."""
    grave, waiting = await asyncio.gather(
        _grave(visit, silence.rule),
        unless_failed(held(visit, EventFilter(rule=silence.rule))),
    )
    stands = "is in force" if silence.active else "is made and begins later"
    said = [f"The silence {silence.silence_id} {stands}."]
    if grave.hides_critical:
        said.append("It keeps critical ones quiet, too.")
    if waiting is None or not waiting.count:
        return " ".join(said), None
    return " ".join([*said, _still_goes(waiting)]), Way("/queue", "Queue")


def _still_goes(waiting: Held) -> str:
    if waiting.count == 1:
        return "1 event that matches is held by a rate limit already, and still goes out."
    more = " and more" if waiting.is_more else ""
    return f"{waiting.count:,}{more} events that match are held already, and still go out."


@dataclass(frozen=True, slots=True)
class Grave:
    """Whether a rule may hide what is critical, and the same rule without; empty: it is all."""

    hides_critical: bool = False
    but_critical: str = ""


async def _grave(visit: Visit, rule: str) -> Grave:
    """Where Config does not answer, nothing is said."""
    analysis = await unless_failed(analyzed(visit, rule)) if rule else None
    if analysis is None or SEVERITY_CRITICAL not in analysis.severities:
        return Grave()
    if len(analysis.severities) == 1:
        return Grave(hides_critical=True)
    return Grave(hides_critical=True, but_critical=but_critical(analysis.canonical_rule))


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line, while the form is being filled."""
    form = await read_form(visit.request)
    return command_line.show(
        visit, lambda: command.create(request_of(form, visit.now(), visit.time_zone))
    )


async def preview(visit: Visit) -> web.StreamResponse:
    """What the rule would have silenced, beside the form."""
    form = await read_form(visit.request)
    rule, found, failure, grave = form.text("rule"), None, "", Grave()
    if rule:
        grave = await _grave(visit, rule)
        try:
            found = await would_silence(visit, rule, windows_of(form, visit.time_zone))
        except InvalidArgument as error:
            is_of_window = any(each.path in ("weekly", "time_zone") for each in error.violations)
            part = "window" if is_of_window else "rule"
            failure = f"As soon as the {part} is right, this shows what it would have silenced."
        except Unauthenticated:
            raise
        except NotificationError as error:
            failure = error.message
    return visit.render(
        "parts/would_silence.html",
        found=found,
        failure=failure,
        grave=grave,
        kept={name: form.text(name) for name in _KEPT if form.text(name)},
        shown_events=SHOWN_EVENTS,
    )


async def expire(visit: Visit) -> web.StreamResponse:
    """End one now."""
    request = ExpireSilenceRequest(silence_id=visit.request.match_info["silence_id"])
    await visit.api.call(visit.api.router.ExpireSilence, request)
    visit.notice(f"The silence {request.silence_id} has ended. What it silenced stays silenced.")
    raise web.HTTPSeeOther(PATH)


_KEPT = ("when", "from", "until", "weekly", "time_zone", "comment")
"""What of the form goes on where its rule is changed."""
_UNSURE = Faults(
    {"rule": f"{DOUBT}. Save again if it is meant so."},
    "The rule needs another look; nothing is saved yet.",
)


async def _form_page(
    visit: Visit,
    form: Form,
    faults: Faults = NO_FAULTS,
    doubt: AnalyzeRuleResponse | None = None,
) -> web.Response:
    zone = visit.time_zone
    return visit.render(
        "pages/new_silence.html",
        status=REFUSED if faults.any else 200,
        form=form,
        doubt=doubt,
        when=when_of(form),
        choices=When,
        spans=quick_spans(visit.now(), zone),
        zone=zone,
        zones=ZONES,
        faults=faults,
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", NEW, show_new),
    Route("POST", NEW, create),
    Route("POST", f"{NEW}/command", show_command),
    Route("POST", f"{NEW}/preview", preview),
    Route("POST", f"{PATH}/{{silence_id}}/expire", expire),
)
