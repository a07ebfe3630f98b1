"""Settings: what holds for the whole installation."""

from __future__ import annotations

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.console.commands import settings as command
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.route import Route
from ibs_notify.console.time_zone import ZONES
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.config_service_pb2 import GetSettingsRequest, UpdateSettingsRequest
from ironcore.notification.v1.settings_pb2 import Settings

PATH = "/settings"
FIELDS = ("default_recipients", "public_url", "time_zone", "sender")
NAMES = {f"settings.{name}": name for name in FIELDS}


async def show(visit: Visit) -> web.StreamResponse:
    """The settings in their form."""
    found = await visit.api.call(visit.api.config.GetSettings, GetSettingsRequest())
    visit.renderer.use_zone(found.settings.time_zone)
    return _page(visit, found.settings)


async def save(visit: Visit) -> web.StreamResponse:
    """Change what the form changed, or say what it would do on the command line."""
    request = await _request(visit, await read_form(visit.request))
    if not request.update_mask.paths:
        visit.notice("Nothing was changed.", "info")
        raise web.HTTPSeeOther(PATH)
    try:
        answer = await visit.api.call(visit.api.config.UpdateSettings, request)
    except SHOWN_AGAIN as error:
        return _page(visit, request.settings, faults_of(error, NAMES))
    await visit.applied(answer.settings.revision, "The settings are saved.", answer.warnings)
    raise web.HTTPSeeOther(PATH)


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line, while the form is being filled."""
    request = await _request(visit, await read_form(visit.request))
    return command_line.show(visit, lambda: command.update(request))


async def _request(visit: Visit, form: Form) -> UpdateSettingsRequest:
    """Only what differs is in the mask, so that the command is short and the audit log exact."""
    found = await visit.api.call(visit.api.config.GetSettings, GetSettingsRequest())
    wanted = Settings(
        default_recipients=form.words("default_recipients"),
        public_url=form.text("public_url"),
        time_zone=form.text("time_zone"),
        sender=form.text("sender"),
        etag=form.text("etag"),
    )
    changed = [name for name in FIELDS if getattr(wanted, name) != getattr(found.settings, name)]
    return UpdateSettingsRequest(settings=wanted, update_mask=FieldMask(paths=changed))


def _page(visit: Visit, shown: Settings, faults: Faults = NO_FAULTS) -> web.Response:
    return visit.render(
        "pages/settings.html",
        status=REFUSED if faults.any else 200,
        settings=shown,
        faults=faults,
        zones=ZONES,
    )


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, save),
    Route("POST", f"{PATH}/command", show_command),
)
