"""Groups: who hears of what. The forms are in ``group_form``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ibs_notify.console import freshness
from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.commands import groups as command
from ibs_notify.console.configured import every_target
from ibs_notify.console.coverage import hearing
from ibs_notify.console.coverage.without import ask_without
from ibs_notify.console.forms import (
    CONSENT,
    NO_FAULTS,
    REFUSALS,
    REFUSED,
    Faults,
    Form,
    faults_of_deletion,
    read_form,
)
from ibs_notify.console.groups.holding import (
    gathered,
    holding,
    holding_of,
    said_of_deletion,
)
from ibs_notify.console.groups.reach import Reach, reach_of
from ibs_notify.console.groups.recommended import RECOMMENDED
from ibs_notify.console.pages import group_search
from ibs_notify.console.pages.queue import GroupQueue
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.targets import LAST, last_deliveries
from ibs_notify.console.rendering import query, segment
from ibs_notify.console.shared import Found
from ibs_notify.console.targets.recipients import (
    Recipients,
    default_recipients,
    recipients_of,
)
from ibs_notify.console.trouble import now_or_lately
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.durations import read_duration
from ibs_notify.domain.errors import InvalidArgument, NotFound, NotificationError, Reason
from ibs_notify.domain.resource import canonical, is_under, meant
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.delivery_pb2 import DeliveryFilter
from ironcore.notification.v1.delivery_service_pb2 import DigestWindow
from ironcore.notification.v1.group_pb2 import Group

PATH = "/groups"
PAGE_SIZE = 50
STATUS_SECONDS = 3.0
PREVIEW_SECONDS = 30.0
SHOWN_FINGERPRINTS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A group in the list. ``queue`` is None where it is not known what its rate limit holds."""

    group: Group
    reach: Reach
    queue: GroupQueue | None


async def show_list(visit: Visit) -> web.StreamResponse:
    """A page of groups by name, and how they fare; or only these, where that changed.

    With ``?text=…``, where groups have that in them.
    """
    if text := visit.request.query.get("text", "").strip():
        return await group_search.show(visit, PATH, text)
    keep = freshness.of_page(visit)
    answer, trouble = await asyncio.gather(
        visit.shared.ask(visit, visit.here, _listed, keep), now_or_lately(visit, keep)
    )
    if isinstance(answer.found, NotificationError):
        raise answer.found
    groups, queues = answer.found["groups"], answer.found["queues"]
    return visit.render(
        "pages/groups.html",
        block="lines" if visit.is_partial else "",
        lines=[Line(each, reach_of(each, trouble), queues.get(each.name)) for each in groups],
        unknown="it takes too long to ask" if trouble is None else trouble.unknown,
        recommended=RECOMMENDED,
        **answer.found,
    )


async def _listed(visit: Visit) -> Found:
    asked = visit.request.query
    written = asked.get("resource", "").strip()
    request = config_pb.ListGroupsRequest(
        page_size=PAGE_SIZE,
        page_token=asked.get("page_token", ""),
        resource=meant(written),
    )
    answer, found, is_new = await asyncio.gather(
        visit.api.call(visit.api.config.ListGroups, request),
        _hearing(visit, request.resource),
        _is_new(visit, written, request.resource),
    )
    attached = (each for group in answer.groups for each in group.attachments)
    more = query(PATH, resource=request.resource, page_token=answer.next_page_token)
    return {
        "groups": answer.groups,
        "queues": await _queues(visit, [each.name for each in answer.groups]),
        "resource": request.resource,
        "hearing": found,
        "unseen": written
        if is_new and not any(is_under(each, request.resource) for each in attached)
        else "",
        "next_url": more if answer.next_page_token else "",
        "first_url": query(PATH, resource=request.resource) if request.page_token else "",
        "command": command.list_(request),
    }


async def _queues(visit: Visit, names: Sequence[str]) -> Mapping[str, GroupQueue]:
    """By group, in one answer; empty where the Router gives none."""
    if not names:
        return {}
    request = router_pb.ListGroupStatusesRequest(groups=names, page_size=PAGE_SIZE)
    method = visit.api.router.ListGroupStatuses
    found = await unless_failed(visit.api.call(method, request, timeout=STATUS_SECONDS))
    statuses = () if found is None else found.group_statuses
    return {each.group: GroupQueue(each.group, each.status) for each in statuses}


async def _hearing(visit: Visit, resource: str) -> hearing.Hearing | None:
    """Who hears of what about the resource that was asked for, where the Router answers."""
    if not resource:
        return None
    return await unless_failed(hearing.ask_about(visit, resource))


async def _is_new(visit: Visit, written: str, resource: str) -> bool:
    """Whether a bare name was taken for a datastore that no event that is kept was about.

    Of a Router that is away, nothing is said.
    """
    if resource == canonical(written):
        return False
    request = router_pb.ListEventsRequest(
        filter=router_pb.EventFilter(resource=resource), page_size=1
    )
    found = await unless_failed(visit.api.call(visit.api.router.ListEvents, request))
    return found is not None and not found.events


async def show(visit: Visit) -> web.StreamResponse:
    """One of them, with its targets and what it holds back; or only its targets."""
    try:
        group = await find_group(visit)
    except NotFound:
        if visit.is_partial:
            raise
        return await _gone(visit, visit.request.match_info["name"])
    if not visit.is_partial:
        return await _detail(visit, group, Form())
    return visit.render("pages/group.html", block="targets", **await _targets(visit, group))


async def _gone(visit: Visit, name: str) -> web.Response:
    """Events and deliveries name groups that were deleted since: no fault of who asks."""
    request = router_pb.ListEventsRequest(
        filter=router_pb.EventFilter(groups=[name]), page_size=LAST
    )
    method = visit.api.router.ListEvents
    found, last = await asyncio.gather(
        unless_failed(visit.api.call(method, request, timeout=STATUS_SECONDS)),
        last_deliveries(visit, DeliveryFilter(groups=[name])),
    )
    events = None if found is None else found.events
    return visit.render(
        "pages/gone.html", status=404, kind="group", name=name, last=last, events=events
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


async def show_without(visit: Visit) -> web.StreamResponse:
    """What nobody would be told of if it were deleted."""
    name = (await find_group(visit)).name
    return visit.render(
        "pages/group_without.html",
        block="part" if visit.is_partial else "",
        name=name,
        without=await ask_without(visit, lambda each: each.group == name),
    )


async def delete(visit: Visit) -> web.StreamResponse:
    """Delete it; where it holds anything, only when the box was ticked."""
    form = await read_form(visit.request)
    group = await find_group(visit)
    name, holds = group.name, await holding(visit, group)
    request = config_pb.DeleteGroupRequest(
        name=name, etag=form.text("etag"), force=form.is_on(CONSENT)
    )
    try:
        answer = await visit.api.call(visit.api.config.DeleteGroup, request)
    except REFUSALS as error:
        return await _detail(visit, await find_group(visit), form, faults_of_deletion(error))
    await visit.applied(answer.revision, f"Group {name} is deleted.", ())
    for each in said_of_deletion(holds):
        visit.notice(each, "info")
    raise web.HTTPSeeOther(PATH)


async def find_group(visit: Visit) -> Group:
    """The group that the address names; ``NotFound``."""
    request = config_pb.GetGroupRequest(name=visit.request.match_info["name"])
    return (await visit.api.call(visit.api.config.GetGroup, request)).group


def path_of(name: str) -> str:
    """The page of a group."""
    return f"{PATH}/{segment(name)}"


async def _detail(
    visit: Visit, group: Group, form: Form, faults: Faults = NO_FAULTS
) -> web.Response:
    (status, failure), targets, windows = await asyncio.gather(
        _status(visit, group.name), _targets(visit, group), _gathered(visit, group)
    )
    holds = bool(group.subscriptions or group.attachments)
    return visit.render(
        "pages/group.html",
        status=REFUSED if faults.any else 200,
        queue=status,
        queue_failure=failure,
        holds=holds,
        holds_back=holding_of(status, windows),
        sure=form.is_on(CONSENT),
        faults=faults,
        create_command=command.create(group),
        delete_command=command.delete(group.name, force=holds),
        **targets,
    )


async def _gathered(visit: Visit, group: Group) -> Sequence[DigestWindow] | None:
    """For those who may delete it."""
    return await gathered(visit, group) if visit.may("ConfigService/DeleteGroup") else ()


async def _targets(visit: Visit, group: Group) -> dict[str, Any]:
    """What the block of its targets needs."""
    receivers, trouble = await asyncio.gather(
        unless_failed(_receivers(visit, group)), now_or_lately(visit, freshness.of_page(visit))
    )
    return {"group": group, "receivers": receivers or {}, "reach": reach_of(group, trouble)}


async def _receivers(visit: Visit, group: Group) -> Mapping[str, Recipients]:
    """Who receives what is sent to its targets, by their names."""
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
    Route("GET", f"{PATH}/{{name}}/dedup", show_dedup),
    Route("GET", f"{PATH}/{{name}}/without", show_without),
    Route("POST", f"{PATH}/{{name}}/delete", delete),
)
