"""Adding a target and changing one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from ibs_notify.console.commands import targets as commands
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.overtaken import (
    TAKE,
    Difference,
    faults_of_overtaken,
    kept_of,
    opened_with,
)
from ibs_notify.console.pages import command_line, start
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.targets import ONE, PATH, path_of, target_of_path
from ibs_notify.console.targets.changes import (
    Loss,
    loss_of,
    stored_secrets,
    update_of,
    warnings_of,
    write_again,
)
from ibs_notify.console.targets.differences import Joined, differences, join, showing
from ibs_notify.console.targets.draft import PROTOCOLS, form_of, target_of
from ibs_notify.console.targets.words import LABELS, NAMES, PRESET_WORDS, SECRETS
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import InvalidArgument, NotificationError, Reason
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.config_service_pb2 import CreateTargetRequest

NEW = f"{PATH}/new/{{kind:smtp|webhook|metric-server}}"
EDIT = f"{ONE}/edit"
TITLES = {
    "smtp": "Add SMTP Target",
    "webhook": "Add Webhook",
    "metric-server": "Add Metric Server",
}
START = {
    "smtp": {"port": "587", "auth_method": "plain", "tls_mode": "starttls"},
    "webhook": {"method": "POST", "content_type": "application/json"},
    "metric-server": {"protocol": "influxdb-v2"},
}
"""What an empty form begins with."""
PRESET_CHOICES = [
    ("", "Its own: the standard payload, or a template"),
    *((preset.value, words.title) for preset, words in PRESET_WORDS.items()),
]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form as it is shown. ``stored`` is what it changes, None for a new target."""

    kind: str
    form: Form
    stored: target_pb2.Target | None = None
    faults: Faults = NO_FAULTS
    others: Sequence[Difference] = field(default_factory=tuple)
    """What somebody else changed meanwhile too, and that is still to be chosen."""
    theirs: Sequence[str] = field(default_factory=tuple)
    """Labels of what only they changed: the form has theirs."""
    loss: Loss | None = None


async def show_new(visit: Visit) -> web.StreamResponse:
    """An empty form."""
    visit.require("ConfigService/CreateTarget")
    kind = visit.request.match_info["kind"]
    start = START[kind] | {name: visit.request.query.get(name, "") for name in ("preset",)}
    return _page(visit, Sheet(kind, Form({name: [text] for name, text in start.items()})))


async def create(visit: Visit) -> web.StreamResponse:
    """Save a new target."""
    kind, form = visit.request.match_info["kind"], await read_form(visit.request)
    try:
        request = CreateTargetRequest(target=draft_of(kind, form))
        answer = await visit.api.call(visit.api.config.CreateTarget, request)
    except SHOWN_AGAIN as error:
        return _page(visit, Sheet(kind, form, faults=faults_of(error, NAMES)))
    name = answer.target.name
    await visit.applied(answer.target.revision, f"{name} is saved.", answer.warnings)
    await start.say_next(visit)
    raise web.HTTPSeeOther(path_of(name))


async def show_edit(visit: Visit) -> web.StreamResponse:
    """The form with what is stored, secrets left out."""
    visit.require("ConfigService/UpdateTarget")
    stored = await target_of_path(visit)
    return _page(visit, Sheet(kind_of(stored), form_of(stored), stored))


async def update(visit: Visit) -> web.StreamResponse:
    """Save what the form changed, and nothing else."""
    stored, form = await target_of_path(visit), await read_form(visit.request)
    sheet = Sheet(kind_of(stored), form, stored)
    try:
        wanted = draft_of(sheet.kind, form, stored)
    except InvalidArgument as error:
        return _page(visit, replace(sheet, faults=faults_of(error, NAMES)))
    if form.text(TAKE):
        return _page(visit, _taken(sheet, stored))
    joined = _joined(form, wanted, stored)
    if joined.both:
        return _page(visit, _overtaken(sheet, stored, joined))
    request = update_of(stored, joined.target, form)
    if joined.theirs:
        labels = ", ".join(LABELS[each] for each in joined.theirs)
        visit.notice(kept_of(stored, labels), "info")
    if request is None:
        visit.notice("Nothing was changed.")
        raise web.HTTPSeeOther(path_of(stored.name))
    try:
        answer = await visit.api.call(visit.api.config.UpdateTarget, request)
    except SHOWN_AGAIN as error:
        return _page(visit, _refused(sheet, stored, joined.target, error))
    warnings = warnings_of(request, answer.warnings)
    await visit.applied(answer.target.revision, f"{stored.name} is saved.", warnings)
    raise web.HTTPSeeOther(path_of(stored.name))


def _joined(form: Form, wanted: target_pb2.Target, stored: target_pb2.Target) -> Joined:
    """What is to be saved, where somebody else has saved it meanwhile too."""
    etag = form.text("etag")
    if not etag or etag == stored.etag:
        return Joined(wanted)
    return join(opened_with(form.text("opened"), target_pb2.Target), wanted, stored)


def _overtaken(sheet: Sheet, stored: target_pb2.Target, joined: Joined) -> Sheet:
    """The fields keep what was changed in them; the next Save goes on from what is stored now."""
    now = form_of(stored)
    form = showing(sheet.form, stored, joined.theirs)
    form = Form({**form.values, **{name: now.values[name] for name in ("etag", "opened")}})
    return replace(
        sheet,
        form=Form({**form.values, "differs": joined.both}),
        faults=faults_of_overtaken(stored),
        others=differences(joined.target, stored, joined.both),
        theirs=[LABELS[each] for each in joined.theirs],
    )


def _taken(sheet: Sheet, stored: target_pb2.Target) -> Sheet:
    """One of the fields that both changed is as it is stored; nothing is saved yet."""
    form = showing(sheet.form, stored, {sheet.form.text(TAKE)} & {*sheet.form.texts("differs")})
    others = differences(draft_of(sheet.kind, form, stored), stored, form.texts("differs"))
    return replace(sheet, form=form, others=others)


def _refused(
    sheet: Sheet, stored: target_pb2.Target, wanted: target_pb2.Target, error: NotificationError
) -> Sheet:
    faults = faults_of(error, NAMES)
    if error.reason is Reason.SECRET_REQUIRED and (loss := loss_of(stored, wanted, sheet.form)):
        return replace(sheet, faults=write_again(stored, loss), loss=loss)
    return replace(sheet, faults=faults)


async def show_new_notes(visit: Visit) -> web.StreamResponse:
    """The form as a command, while it is being filled."""
    kind, form = visit.request.match_info["kind"], await read_form(visit.request)
    return _notes(visit, command_line.text_of(lambda: commands.create(draft_of(kind, form))))


async def show_edit_notes(visit: Visit) -> web.StreamResponse:
    """The same of a change, and which stored secrets it would cost."""
    stored, form = await target_of_path(visit), await read_form(visit.request)
    loss: Loss | None = None

    def say() -> str:
        nonlocal loss
        wanted = draft_of(kind_of(stored), form, stored)
        wanted = _joined(form, wanted, stored).target
        loss = loss_of(stored, wanted, form)
        request = update_of(stored, wanted, form)
        rotates = stored.webhook.signing_secret_set
        again = loss.secrets if loss else ()
        return "" if request is None else commands.update(request, rotates=rotates, again=again)

    return _notes(visit, command_line.text_of(say), stored, loss)


def _notes(
    visit: Visit,
    command: str,
    stored: target_pb2.Target | None = None,
    loss: Loss | None = None,
) -> web.Response:
    return visit.render(
        "parts/target_notes.html",
        command=command,
        loss=loss,
        secrets=stored_secrets(stored) if stored else (),
    )


def kind_of(target: target_pb2.Target) -> str:
    """Which form a target has."""
    kind = target.WhichOneof("kind") or "smtp"
    return "metric-server" if kind in PROTOCOLS.values() else kind


def draft_of(kind: str, form: Form, stored: target_pb2.Target | None = None) -> target_pb2.Target:
    """The target that a form of ``kind`` describes."""
    field_of = kind
    if stored is not None:
        field_of = stored.WhichOneof("kind") or kind
    elif kind == "metric-server":
        field_of = PROTOCOLS.get(form.text("protocol"), "influxdb")
    return target_of(field_of, form, stored)


def _page(visit: Visit, sheet: Sheet) -> web.Response:
    stored = sheet.stored
    base = f"{PATH}/new/{sheet.kind}" if stored is None else f"{path_of(stored.name)}/edit"
    shown: dict[str, Any] = {
        "title": TITLES[sheet.kind] if stored is None else f"Edit {stored.name}",
        "base": base,
        "kind": sheet.kind,
        "form": sheet.form,
        "stored": stored,
        "faults": sheet.faults,
        "others": sheet.others,
        "theirs": sheet.theirs,
        "loss": sheet.loss,
        "presets": PRESET_WORDS,
        "preset_choices": PRESET_CHOICES,
        "again": _again(sheet),
        "rows": _new_headers(sheet),
    }
    return visit.render(
        "pages/target_form.html", status=REFUSED if sheet.faults.any else 200, **shown
    )


def _again(sheet: Sheet) -> bool:
    """Whether secrets were written that the form, shown again, does not have any more."""
    written = any(sheet.form.text(name) for name in SECRETS)
    return (sheet.faults.any or bool(sheet.form.text(TAKE))) and (
        written or bool(sheet.form.texts("header_value"))
    )


def _new_headers(sheet: Sheet) -> list[str]:
    """Names of the rows below the stored ones: what was written, and two that are free."""
    known = {each.name for each in sheet.stored.webhook.headers} if sheet.stored else set()
    return [each for each in sheet.form.texts("header_name") if each not in known] + ["", ""]


ROUTES = (
    Route("GET", NEW, show_new),
    Route("POST", NEW, create),
    Route("POST", f"{NEW}/notes", show_new_notes),
    Route("GET", EDIT, show_edit),
    Route("POST", EDIT, update),
    Route("POST", f"{EDIT}/notes", show_edit_notes),
)
