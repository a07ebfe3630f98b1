"""What a template makes of an event before it is saved: a page for the frame beside the editor."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.forms import Faults, Form, faults_of, read_form
from ibs_notify.console.http.bodies import laid_out
from ibs_notify.console.http.guard import LEADS_NOWHERE, PREVIEW_POLICY
from ibs_notify.console.message_templates.owner import Owner, owner_of_target
from ibs_notify.console.message_templates.reading import GATHERED, find_owner, read_events
from ibs_notify.console.message_templates.sample_events import SAMPLE, SAMPLES
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.templates import PATH, read_draft
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import InvalidArgument, NotificationError
from ironcore.notification.v1.config_service_pb2 import GetTargetRequest
from ironcore.notification.v1.delivery_service_pb2 import (
    PreviewMessageRequest,
    PreviewMessageResponse,
)
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.router_service_pb2 import GetEventRequest

VIEWS = ("message", "text", "source")
_SHOWN_HEADERS = ("From", "To", "Subject", "Date")


@dataclass(frozen=True, slots=True)
class Shown:
    """``headers`` are those above the message; all of them in the view of the source."""

    answer: PreviewMessageResponse
    view: str

    @property
    def is_mail(self) -> bool:
        return not self.answer.method

    @property
    def headers(self) -> list[tuple[str, str]]:
        given = [(each.name, each.value) for each in self.answer.headers]
        return [each for each in given if not self.is_mail or each[0] in _SHOWN_HEADERS]

    @property
    def html(self) -> str:
        return self.answer.html + LEADS_NOWHERE if self.answer.html else ""

    @property
    def source(self) -> str:
        return self.answer.content.decode("utf-8", "replace")

    @property
    def body(self) -> str:
        """The body of a request, laid out where it is JSON."""
        return laid_out(self.answer.text)


async def show(visit: Visit) -> web.StreamResponse:
    """The message that the form describes, or what is wrong with it: that is an answer as well."""
    form = await read_form(visit.request)
    try:
        owner = await find_owner(visit.api, visit.request.query)
        request = await _request(visit, owner, form)
        answer = await visit.api.call(visit.api.delivery.PreviewMessage, request)
        note = await _note(visit, owner, request)
    except NotificationError as error:
        return _page(visit, faults=_faults(error))
    view = form.text("view")
    return _page(visit, shown=Shown(answer, view if view in VIEWS else VIEWS[0]), note=note)


async def _request(visit: Visit, owner: Owner, form: Form) -> PreviewMessageRequest:
    request = PreviewMessageRequest(
        target=form.text("on") or owner.name,
        group=owner.name if owner.kind == "group" else "",
        draft=read_draft(form, owner),
        draft_replaces=True,
    )
    if form.text("as") == "digest":
        request.gathered.extend(await read_events(visit.api, GATHERED) or SAMPLES)
    else:
        request.event.CopyFrom(await _event(visit, form.text("event_id") or form.text("event")))
    return request


async def _event(visit: Visit, event_id: str) -> Event:
    if not event_id:
        return SAMPLE
    request = GetEventRequest(event_id=event_id)
    return (await visit.api.call(visit.api.router.GetEvent, request)).event.event


async def _note(visit: Visit, owner: Owner, request: PreviewMessageRequest) -> str:
    """Why a group's template is not seen: a preset speaks its peer's language."""
    if owner.kind != "group" or not (request.draft.body or request.draft.digest_body):
        return ""
    config = visit.api.config
    found = await visit.api.call(config.GetTarget, GetTargetRequest(name=request.target))
    target = owner_of_target(found.target)
    if target is None or not target.preset:
        return ""
    return f"{target.name} keeps the body of its preset {target.preset}: no group's goes before it."


def _faults(error: NotificationError) -> Faults:
    """By the fields of the form: what the API calls ``draft.text`` is its field ``text``."""
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    paths = [each.path for each in violations if each.path.startswith("draft.")]
    return faults_of(error, {path: path.removeprefix("draft.") for path in paths})


def _page(
    visit: Visit, *, shown: Shown | None = None, faults: Faults | None = None, note: str = ""
) -> web.Response:
    response = visit.render(
        "pages/template_preview.html",
        shown=shown,
        faults=faults,
        note=note,
    )
    response.headers["Content-Security-Policy"] = PREVIEW_POLICY
    return response


ROUTES = (Route("POST", f"{PATH}/preview", show),)
