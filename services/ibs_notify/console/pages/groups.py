"""Groups: who hears of what. The forms are in ``group_form``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.commands import groups as command
from ibs_notify.console.configured import every_target
from ibs_notify.console.coverage import hearing
from ibs_notify.console.forms import REFUSALS, REFUSED, faults_of, read_form
from ibs_notify.console.groups.recommended import RECOMMENDED
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query, segment
from ibs_notify.console.targets.recipients import (
    Recipients,
    default_recipients,
    recipients_of,
)
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.durations import read_duration
from ibs_notify.domain.errors import InvalidArgument, NotificationError, Reason
from ibs_notify.domain.resource import canonical, meant
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.group_pb2 import Group

PATH = "/groups"
PAGE_SIZE = 50
STATUS_SECONDS = 3.0
PREVIEW_SECONDS = 30.0
SHOWN_FINGERPRINTS = 20


async def show_list(visit: Visit) -> web.StreamResponse:
    """All groups by name. What waits in each is loaded after the page."""
    asked = visit.request.query
    request = config_pb.ListGroupsRequest(
        page_size=PAGE_SIZE,
        page_token=asked.get("page_token", ""),
        resource=meant(asked.get("resource", "").strip()),
    )
    answer, found = await asyncio.gather(
        visit.api.call(visit.api.config.ListGroups, request), _hearing(visit, request.resource)
    )
    more = query(PATH, resource=request.resource, page_token=answer.next_page_token)
    return visit.render(
        "pages/groups.html",
        groups=answer.groups,
        resource=request.resource,
        hearing=found,
        recommended=RECOMMENDED,
        next_url=more if answer.next_page_token else "",
        first_url=query(PATH, resource=request.resource) if request.page_token else "",
    )


async def _hearing(visit: Visit, resource: str) -> hearing.Hearing | None:
    """Who hears of what about the resource that was asked for, where the Router answers."""
    if not resource:
        return None
    return await unless_failed(hearing.ask_about(visit, canonical(resource)))


async def show(visit: Visit) -> web.StreamResponse:
    """One of them, with its targets and what it holds back."""
    return await _detail(visit, await find_group(visit))


async def show_waiting(visit: Visit) -> web.StreamResponse:
    """How many events wait, for a cell of the list."""
    status, failure = await _status(visit, visit.request.match_info["name"])
    return visit.render(
        "parts/group_waiting.html",
        name=visit.request.match_info["name"],
        queue=status,
        failure=failure,
    )


async def show_dedup(visit: Visit) -> web.StreamResponse:
    """What deduplication saves, with the group's own window or with one to try."""
    name = visit.request.match_info["name"]
    window = visit.request.query.get("window", "")
    found = await attempted(_dedup(visit, name, window))
    failure = found.message if isinstance(found, NotificationError) else ""
    return visit.render(
        "pages/group_dedup.html",
        block="preview" if visit.is_partial else "",
        name=name,
        window=window,
        preview=None if failure else found,
        failure=failure,
        most=SHOWN_FINGERPRINTS,
        command=command.preview_dedup(name, window),
    )


async def _dedup(visit: Visit, name: str, window: str) -> router_pb.PreviewDedupResponse:
    request = router_pb.PreviewDedupRequest(group=name)
    if window:
        try:
            request.window.FromTimedelta(read_duration(window))
        except ValueError as error:
            raise InvalidArgument(Reason.FIELD_INVALID, f"The window {error}.") from None
        request.window.SetInParent()
    method = visit.api.router.PreviewDedup
    return await visit.api.call(method, request, timeout=PREVIEW_SECONDS)


async def delete(visit: Visit) -> web.StreamResponse:
    """Delete it; where it holds anything, only when the box was ticked."""
    form = await read_form(visit.request)
    name = visit.request.match_info["name"]
    request = config_pb.DeleteGroupRequest(
        name=name, etag=form.text("etag"), force=form.is_on("force")
    )
    try:
        answer = await visit.api.call(visit.api.config.DeleteGroup, request)
    except REFUSALS as error:
        return await _detail(visit, await find_group(visit), error)
    await visit.applied(answer.revision, f"Group {name} is deleted.", ())
    raise web.HTTPSeeOther(PATH)


async def find_group(visit: Visit) -> Group:
    """The group that the address names; ``NotFound``."""
    request = config_pb.GetGroupRequest(name=visit.request.match_info["name"])
    return (await visit.api.call(visit.api.config.GetGroup, request)).group


def path_of(name: str) -> str:
    """The page of a group."""
    return f"{PATH}/{segment(name)}"


async def _detail(
    visit: Visit, group: Group, refused: NotificationError | None = None
) -> web.Response:
    (status, failure), receives = await asyncio.gather(
        _status(visit, group.name), unless_failed(_recipients(visit, group))
    )
    holds = bool(group.subscriptions or group.attachments)
    return visit.render(
        "pages/group.html",
        status=REFUSED if refused else 200,
        group=group,
        queue=status,
        queue_failure=failure,
        holds=holds,
        receives=receives or {},
        faults=faults_of(refused, {}) if refused else None,
        delete_command=command.delete(group.name, force=holds),
    )


async def _recipients(visit: Visit, group: Group) -> Mapping[str, Recipients]:
    """Who receives what its targets are sent, by target."""
    targets, defaults = await asyncio.gather(every_target(visit.api), default_recipients(visit.api))
    by_name = {each.name: each for each in targets}
    return {
        each.target: recipients_of(each, by_name[each.target], defaults)
        for each in group.subscriptions
        if each.target in by_name
    }


async def _status(visit: Visit, name: str) -> tuple[router_pb.GetGroupStatusResponse | None, str]:
    """What waits; or why that is not known."""
    request = router_pb.GetGroupStatusRequest(group=name)
    found = await attempted(
        visit.api.call(visit.api.router.GetGroupStatus, request, timeout=STATUS_SECONDS)
    )
    return (None, found.message) if isinstance(found, NotificationError) else (found, "")


ROUTES = (
    Route("GET", PATH, show_list),
    Route("GET", f"{PATH}/{{name}}", show),
    Route("GET", f"{PATH}/{{name}}/waiting", show_waiting),
    Route("GET", f"{PATH}/{{name}}/dedup", show_dedup),
    Route("POST", f"{PATH}/{{name}}/delete", delete),
)
