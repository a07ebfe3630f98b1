"""Templates: the built-in ones, whose are own, and the editor."""

from __future__ import annotations

import asyncio

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.console.attempts import attempted
from ibs_notify.console.commands import templates as command
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    Form,
    faults_of,
    read_form,
)
from ibs_notify.console.message_templates.owner import DIGEST, MAIL_PARTS, Owner
from ibs_notify.console.message_templates.reading import (
    PREVIEWED,
    Owners,
    find_owner,
    read_builtins,
    read_events,
    read_owners,
)
from ibs_notify.console.message_templates.starting_points import Start, starting_points
from ibs_notify.console.message_templates.variables import VARIABLES
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query
from ibs_notify.console.targets.changes import warnings_of
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotificationError
from ironcore.notification.v1.config_service_pb2 import UpdateGroupRequest, UpdateTargetRequest
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates
from ironcore.notification.v1.target_pb2 import Target

PATH = "/templates"
EDIT = f"{PATH}/edit"


async def show(visit: Visit) -> web.StreamResponse:
    """Who has templates of its own, and the built-in ones."""
    owners, builtins = await asyncio.gather(
        attempted(read_owners(visit.api)), attempted(read_builtins(visit.api))
    )
    return visit.render(
        "pages/templates.html",
        command=command.LIST,
        owners=owners if isinstance(owners, Owners) else None,
        owners_missing=owners if isinstance(owners, NotificationError) else None,
        builtins=list(builtins.values()) if isinstance(builtins, dict) else [],
        builtins_missing=builtins if isinstance(builtins, NotificationError) else None,
    )


async def show_builtin(visit: Visit) -> web.StreamResponse:
    """The text of one that is built in."""
    found = (await read_builtins(visit.api)).get(visit.request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound(text="There is no built-in template of that name.")
    return visit.render(
        "pages/builtin_template.html", template=found, command=command.show(found.name)
    )


async def edit(visit: Visit) -> web.StreamResponse:
    """The templates of a target or a group in their form."""
    owners = await read_owners(visit.api)
    owner = owners.asked(visit.request.query)
    return await _editor(visit, owners, owner, owner.templates)


async def save(visit: Visit) -> web.StreamResponse:
    """Change those templates that the form changed; or let one begin anew, and save nothing yet."""
    form = await read_form(visit.request)
    owners = await read_owners(visit.api)
    owner = owners.asked(visit.request.query)
    wanted = read_draft(form, owner)
    if form.text("start"):
        start = Start.read(form.text("start"))
        return await _editor(visit, owners, owner.seen_as(form.text("etag")), wanted, start=start)
    changed = owner.changed(wanted)
    if not changed:
        visit.notice("Nothing was changed.")
        raise web.HTTPSeeOther(address(owner))
    try:
        revision, warnings = await _update(visit, owner, wanted, changed, form.text("etag"))
    except SHOWN_AGAIN as error:
        names = {f"{owner.kind}.{owner.path(field)}": field for field in owner.fields}
        return await _editor(visit, owners, owner, wanted, faults_of(error, names))
    await visit.applied(revision, f"The templates of {owner.name} are saved.", warnings)
    raise web.HTTPSeeOther(address(owner))


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line, while the form is being filled."""
    form = await read_form(visit.request)
    owner = await find_owner(visit.api, visit.request.query)
    wanted = read_draft(form, owner)
    changed = owner.changed(wanted)
    return command_line.show(visit, lambda: command.update(owner, wanted, changed))


def read_draft(form: Form, owner: Owner) -> GroupTemplates:
    """The templates in a form; what is blank is none."""
    draft = GroupTemplates()
    for field in owner.fields:
        text = form.raw(field)
        setattr(draft, field, text if text.strip() else "")
    return draft


def address(owner: Owner) -> str:
    """The editor of an owner."""
    return query(EDIT, **{owner.kind: owner.name})


async def _update(
    visit: Visit, owner: Owner, wanted: GroupTemplates, changed: list[str], etag: str
) -> tuple[int, list[str]]:
    """Saves; the revision, and what is to be said."""
    mask = FieldMask(paths=[owner.path(field) for field in changed])
    config = visit.api.config
    if owner.kind == "group":
        group = Group(name=owner.name, etag=etag, templates=wanted)
        of_group = UpdateGroupRequest(group=group, update_mask=mask)
        grouped = await visit.api.call(config.UpdateGroup, of_group)
        return grouped.group.revision, [*grouped.warnings]
    target = Target(name=owner.name, etag=etag)
    spec = target.smtp if owner.medium == "smtp" else target.webhook
    spec.SetInParent()
    for field in changed:
        setattr(spec, f"{field}_template", getattr(wanted, field))
    of_target = UpdateTargetRequest(target=target, update_mask=mask)
    changed_target = await visit.api.call(config.UpdateTarget, of_target)
    return changed_target.target.revision, warnings_of(of_target, changed_target.warnings)


async def _editor(
    visit: Visit,
    owners: Owners,
    owner: Owner,
    shown: GroupTemplates,
    faults: Faults = NO_FAULTS,
    start: Start | None = None,
) -> web.Response:
    events, builtins = await asyncio.gather(
        attempted(read_events(visit.api, PREVIEWED)), attempted(read_builtins(visit.api))
    )
    found = events if isinstance(events, list) else []
    event = visit.request.query.get("event", "") or _telling(found)
    previewed = owners.shown_for(owner)
    builtin_names = {field: builtin_of(owner, field) for field in owner.fields}
    texts = builtins if isinstance(builtins, dict) else {}
    points = {
        field: starting_points(field, texts[name].text if name in texts else "")
        for field, name in builtin_names.items()
    }
    if start is not None and start.field in owner.fields:
        setattr(shown, start.field, start.text(points[start.field]))
    return visit.render(
        "pages/template_editor.html",
        status=REFUSED if faults.any else 200,
        owner=owner,
        others=owners.beside(owner),
        previewed=previewed,
        shown=shown,
        faults=faults,
        digest=DIGEST,
        builtin_names=builtin_names,
        points=points,
        started=start.field if start else "",
        events=found,
        events_missing=events if isinstance(events, NotificationError) else None,
        event=event,
        variables=VARIABLES,
        edit_url=address(owner),
        preview_url=query(f"{PATH}/preview", **{owner.kind: owner.name}),
        preview_command=command.preview(
            previewed[0].name if previewed else "TARGET",
            owner.name if owner.kind == "group" else "",
            event,
        ),
        command_url=query(f"{PATH}/command", **{owner.kind: owner.name}),
    )


def _telling(events: list[Event]) -> str:
    """The newest that is not about notifications themselves; else the newest, if there is any."""
    others = [each for each in events if not each.type.startswith("notification.")]
    return next((each.event_id for each in (*others, *events)), "")


def builtin_of(owner: Owner, field: str) -> str:
    """The built-in template that stands in for a field; empty where that is the standard payload,
    or, of a group, depends on the target."""
    part = field.removeprefix(DIGEST)
    if part in MAIL_PARTS:
        is_of_digests = field.startswith(DIGEST) and part != "subject"
        return f"mail.{'digest-' if is_of_digests else ''}{part}"
    return f"preset.{owner.preset}" if owner.preset else ""


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/builtin/{{name}}", show_builtin),
    Route("GET", EDIT, edit),
    Route("POST", EDIT, save),
    Route("POST", f"{PATH}/command", show_command),
)
