"""Marks of the inbox: read, unread, archived; some events, or all that a view shows."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.events.view import PATH, View
from ibs_notify.console.forms import Form, read_form
from ibs_notify.console.login.paths import local_path
from ibs_notify.console.login.sessions import Undo, Way
from ibs_notify.console.pages.event_tally import look, tally
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.words import counted
from ibs_notify.console.wording.words import mark as mark_of
from ibs_notify.domain.errors import FieldViolation, InvalidArgument
from ironcore.notification.v1 import router_service_pb2 as pb

MARK, MARK_ALL = f"{PATH}/mark", f"{PATH}/mark-all"
MARKS = {
    "unread": pb.INBOX_STATE_UNREAD,
    "read": pb.INBOX_STATE_READ,
    "archived": pb.INBOX_STATE_ARCHIVED,
}
_TAB_OF = {"unread": "unread", "read": "", "archived": "archived"}
MOST_IDS = 1000
LONG_CALL_SECONDS = 60.0


async def mark(visit: Visit) -> web.StreamResponse:
    """Mark events by id.

    ``one`` is "new old id" of a row's own button; else each ``event`` is "old id" of a ticked row
    and ``state`` the new mark; ``undo`` has lines of "old id".
    """
    form = await read_form(visit.request)
    if one := form.text("one"):
        new, _, event = one.partition(" ")
        await _mark(visit, [event], new)
        if visit.is_partial:
            return await _row(visit, event, form)
        marked = [event]
    elif undo := form.text("undo"):
        marked, new = undo.split("\n"), ""
        for old in MARKS:
            await _mark(visit, [each for each in marked if each.startswith(f"{old} ")], old)
        visit.notice(f"{counted(len(marked), 'event')} marked as before.")
    else:
        marked, new = form.texts("event"), form.text("state")
        await _mark(visit, marked, new)
    back = local_path(form.text("back"))
    if not marked:
        visit.notice("No event was selected.", "warning")
    elif new:
        undo_of = Undo(MARK, {"undo": "\n".join(marked), "back": back})
        visit.notice(f"{counted(len(marked), 'event')} marked {new}.", undo=undo_of)
    raise web.HTTPSeeOther(back)


async def ask_all(visit: Visit) -> web.StreamResponse:
    """How many would be marked, before any is."""
    view = View.of(visit.request.query.items())
    view = view.at(visit.now(), visit.time_zone)
    return visit.render(
        "pages/mark_all.html",
        view=view,
        state=_name(visit.request.query.get("mark", "")),
        tally=await tally(visit, view),
    )


async def mark_all(visit: Visit) -> web.StreamResponse:
    """Mark all that match and were there when they were counted."""
    form = await read_form(visit.request)
    view, state = View.of(visit.request.query.items()), _name(form.text("mark"))
    chosen, up_to = view.filter(visit.now(), visit.time_zone), _sequence(form)
    before = await unless_failed(look(visit, chosen, up_to))
    request = pb.MarkEventsRequest(filter=chosen, up_to_sequence=up_to, state=MARKS[state])
    answer = await visit.api.call(visit.api.router.MarkEvents, request, timeout=LONG_CALL_SECONDS)
    text = f"{counted(answer.count, 'event')} marked {state}."
    if before is not None and before.is_whole:
        undo = "\n".join(
            f"{mark_of(each.inbox_state)} {each.event.event_id}" for each in before.events
        )
        visit.notice(
            text, undo=Undo(MARK, {"undo": undo, "back": view.address()}) if undo else None
        )
    else:
        # They are too many to be named one by one.
        there = Way(view.with_(state=_TAB_OF[state]).address(), "Look at them")
        visit.notice(text, way=there)
    raise web.HTTPSeeOther(view.address())


async def _mark(visit: Visit, events: Iterable[str], state: str) -> None:
    """``events`` are "old id" each."""
    ids = [each.partition(" ")[2] for each in events]
    for start in range(0, len(ids), MOST_IDS):
        request = pb.MarkEventsRequest(
            event_ids=ids[start : start + MOST_IDS], state=MARKS[_name(state)]
        )
        await visit.api.call(visit.api.router.MarkEvents, request)


async def _row(visit: Visit, event: str, form: Form) -> web.Response:
    """The row as it is now; nothing where it is no longer of the view that it stood in."""
    old, _, event_id = event.partition(" ")
    found = await visit.api.call(visit.api.router.GetEvent, pb.GetEventRequest(event_id=event_id))
    shown = [MARKS[each] for each in form.text("shown").split(",") if each in MARKS]
    return visit.render(
        "parts/marked.html",
        record=found.event,
        stays=not shown or found.event.inbox_state in shown,
        undo=Undo(MARK, {"undo": f"{old} {event_id}", "back": form.text("back")}),
    )


def _name(state: str) -> str:
    if state not in MARKS:
        raise InvalidArgument.of([FieldViolation("state", "is unread, read or archived")])
    return state


def _sequence(form: Form) -> int:
    text = form.text("up_to")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


ROUTES = (
    Route("POST", MARK, mark),
    Route("GET", MARK_ALL, ask_all),
    Route("POST", MARK_ALL, mark_all),
)
