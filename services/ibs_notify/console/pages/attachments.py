"""Attaching a datastore to a group, and taking it from one. Both can narrow what a group hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.commands import groups as command
from ibs_notify.console.coverage import hearing
from ibs_notify.console.forms import REFUSALS, Form, read_form
from ibs_notify.console.pages import command_line
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import named, segment
from ibs_notify.console.visit import Visit
from ibs_notify.domain.resource import canonical, meant
from ironcore.notification.v1.config_service_pb2 import (
    AttachResourceRequest,
    DetachResourceRequest,
    GetGroupRequest,
)
from ironcore.notification.v1.group_pb2 import GROUP_SCOPE_EVERYTHING, Group

PATH = "/datastores/{name}"
CONFIRMED = "all-the-same"


@dataclass(frozen=True, slots=True)
class Choices:
    """The groups that a resource is not attached to, those that would help first."""

    helping: Sequence[str] = ()
    """They hear only of what is attached, and their rules match what nobody hears of."""
    attached: Sequence[str] = ()
    """The others that hear only of what is attached, or what names them."""
    everything: Sequence[str] = ()
    """They hear everything now, and would hear only of what is attached."""

    @property
    def any(self) -> bool:
        return bool(self.helping or self.attached or self.everything)


def choices(groups: Sequence[Group], resource: str, would_help: frozenset[str]) -> Choices:
    """``would_help`` names those whose rules match what nobody hears of."""
    free = [each for each in groups if resource not in each.attachments]
    narrow = [each.name for each in free if not _narrows(each)]
    return Choices(
        [each for each in narrow if each in would_help],
        [each for each in narrow if each not in would_help],
        [each.name for each in free if _narrows(each)],
    )


def _narrows(group: Group) -> bool:
    """Whether attaching to it makes it deaf to everything else."""
    return group.scope == GROUP_SCOPE_EVERYTHING and not group.attachments


async def attach(visit: Visit) -> web.StreamResponse:
    """Let a group hear of it; one that hears everything is asked about first."""
    form = await read_form(visit.request)
    request = _attachment(visit, form)
    if not request.group:
        visit.notice("Choose the group that is to hear of it.", "failed")
        raise _back(visit)
    api = visit.api
    try:
        if not form.is_on(CONFIRMED):
            found = await api.call(api.config.GetGroup, GetGroupRequest(name=request.group))
            if _narrows(found.group):
                return await _ask(visit, found.group, request)
        answer = await api.call(api.config.AttachResource, request)
    except REFUSALS as error:
        visit.notice(error.message, "failed")
        raise _back(visit) from None
    done = f"Attached {request.resource} to group {request.group}."
    await visit.applied(answer.group.revision, done, answer.warnings)
    raise _back(visit)


async def _ask(visit: Visit, group: Group, request: AttachResourceRequest) -> web.Response:
    """What the group would not hear any more, and what else helps."""
    resource = canonical(request.resource)
    found = await unless_failed(hearing.ask_about(visit, resource))
    return visit.render(
        "pages/attach_narrows.html",
        name=_name(visit),
        group=group,
        resource=resource,
        unheard=found.unheard_problems if found is not None else (),
        confirmed=CONFIRMED,
        command=command.command(request),
    )


async def detach(visit: Visit) -> web.StreamResponse:
    """Take it from a group, after a page that says what the group then hears."""
    form = await read_form(visit.request)
    request = DetachResourceRequest(group=form.text("group"), resource=form.text("resource"))
    api = visit.api
    try:
        if not form.is_on(CONFIRMED):
            found = await api.call(api.config.GetGroup, GetGroupRequest(name=request.group))
            return visit.render(
                "pages/detach.html",
                name=_name(visit),
                group=found.group,
                resource=request.resource,
                left=[each for each in found.group.attachments if each != request.resource],
                confirmed=CONFIRMED,
                command=command.command(request),
            )
        answer = await api.call(api.config.DetachResource, request)
    except REFUSALS as error:
        visit.notice(error.message, "failed")
        raise _back(visit) from None
    done = f"Detached {request.resource} from group {request.group}."
    await visit.applied(answer.group.revision, done, answer.warnings)
    raise _back(visit)


async def show_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    request = _attachment(visit, await read_form(visit.request))
    return command_line.show(visit, lambda: command.command(request))


def _attachment(visit: Visit, form: Form) -> AttachResourceRequest:
    written = form.text("resource")
    resource = meant(written) if written else f"/datastore/{_name(visit)}"
    return AttachResourceRequest(group=form.text("group"), resource=resource)


def _name(visit: Visit) -> str:
    return named(visit.request.match_info["name"])


def _back(visit: Visit) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(PATH.format(name=segment(_name(visit))))


ROUTES = (
    Route("POST", f"{PATH}/attach", attach),
    Route("POST", f"{PATH}/detach", detach),
    Route("POST", f"{PATH}/command", show_command),
)
