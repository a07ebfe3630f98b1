"""Targets: the list with health at a glance, one of them in detail, and what is done with one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.console import freshness
from ibs_notify.console.attempts import unless_failed
from ibs_notify.console.changes import is_known, mark_of
from ibs_notify.console.commands import targets as commands
from ibs_notify.console.configured import every_group
from ibs_notify.console.coverage.without import Without, ask_without
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
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query
from ibs_notify.console.shared import Found
from ibs_notify.console.targets.changes import warnings_of
from ibs_notify.console.targets.health import SECONDS, Health, ask_health, certificate_tone
from ibs_notify.console.targets.recipients import default_recipients
from ibs_notify.console.targets.words import is_metric_server, kind_word, picture, where
from ibs_notify.console.trouble import now_or_lately
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotFound, NotificationError
from ironcore.notification.v1 import delivery_pb2, target_pb2
from ironcore.notification.v1.config_service_pb2 import (
    DeleteTargetRequest,
    GetTargetRequest,
    ListTargetsRequest,
    UpdateTargetRequest,
)
from ironcore.notification.v1.delivery_service_pb2 import (
    DeliveryCount,
    ListDeliveriesRequest,
    ResumeTargetRequest,
)
from ironcore.notification.v1.group_pb2 import Group

PATH = "/targets"
ONE = f"{PATH}/{{name}}"
SIZE = 50
LAST = 8
CHANGED = "target-changed"
"""What the health tells the last deliveries, so that both are of the same moment."""
WORDS: dict[str, Any] = {
    "kind_word": kind_word,
    "picture": picture,
    "where": where,
    "until": certificate_tone,
}


async def show_list(visit: Visit) -> web.StreamResponse:
    """A page of targets and how they fare; or only these, where that changed."""
    token = visit.request.query.get("page_token", "")
    keep = freshness.of_page(visit)
    answer, _ = await asyncio.gather(
        visit.shared.ask(visit, visit.here, partial(_listed, token=token), keep),
        # For the sidebar, so that it says the same.
        now_or_lately(visit, keep),
    )
    if isinstance(answer.found, NotificationError):
        raise answer.found
    return visit.render(
        "pages/targets.html",
        block="standings" if visit.is_partial else "",
        first_url=PATH if token else "",
        command=commands.LIST,
        **answer.found,
        **WORDS,
    )


async def _listed(visit: Visit, token: str) -> Found:
    request = ListTargetsRequest(page_size=SIZE, page_token=token)
    found = await visit.api.call(visit.api.config.ListTargets, request)
    more = found.next_page_token
    return {
        "targets": found.targets,
        "health": await ask_health(visit.api, found.targets, visit.now()),
        "next_url": query(PATH, page_token=more) if more else "",
    }


async def show_one(visit: Visit) -> web.StreamResponse:
    """Everything about a target; what another service knows may be missing, and is said so."""
    try:
        target = await target_of_path(visit)
    except NotFound:
        return await _gone(visit, visit.request.match_info["name"])
    return await _page(visit, target)


async def _gone(visit: Visit, name: str) -> web.Response:
    """Events and deliveries name targets that were deleted since: no fault of who asks."""
    last = await last_deliveries(visit, delivery_pb2.DeliveryFilter(targets=[name]))
    return visit.render(
        "pages/gone.html", status=404, kind="target", name=name, last=last, events=()
    )


async def _page(visit: Visit, target: target_pb2.Target) -> web.Response:
    health, dead, every, last, defaults = await asyncio.gather(
        ask_health(visit.api, [target], visit.now()),
        _dead(visit, target),
        every_group(visit.api),
        last_deliveries(visit, _of(target)),
        unless_failed(default_recipients(visit.api)),
    )
    groups = _with_target(every, target.name)
    return visit.render(
        "pages/target.html",
        target=target,
        health=health,
        dead=dead,
        mark=_mark(visit, target, health, dead),
        groups=groups,
        other_groups=[] if groups else [each.name for each in every],
        defaults=defaults,
        last=last,
        last_mark=mark_of(*(last or ())),
        create_command=commands.create_stored(target),
        commands="\n".join(commands.plain(verb, target.name) for verb in _verbs(visit, target)),
        **WORDS,
    )


def _verbs(visit: Visit, target: target_pb2.Target) -> list[str]:
    """What the command line does with a target, as far as the visitor may."""
    verbs = {
        "show": "ConfigService/GetTarget",
        "test": "ConfigService/TestTarget",
        "enable" if target.disabled else "disable": "ConfigService/UpdateTarget",
        "resume": "DeliveryService/ResumeTarget",
    }
    return [verb for verb, method in verbs.items() if visit.may(method)]


async def target_of_path(visit: Visit) -> target_pb2.Target:
    """The target that the address names."""
    request = GetTargetRequest(name=visit.request.match_info["name"])
    return (await visit.api.call(visit.api.config.GetTarget, request)).target


async def groups_with(visit: Visit, name: str) -> list[Group]:
    """The groups that a target is in."""
    return _with_target(await every_group(visit.api), name)


def _with_target(groups: Sequence[Group], name: str) -> list[Group]:
    return [group for group in groups if any(each.target == name for each in group.subscriptions)]


async def show_health(visit: Visit) -> web.StreamResponse:
    """How it fares, where that changed."""
    target = await target_of_path(visit)
    health, dead = await asyncio.gather(
        ask_health(visit.api, [target], visit.now()), _dead(visit, target)
    )
    mark = _mark(visit, target, health, dead)
    if not visit.is_partial:
        return await _page(visit, target)
    if is_known(visit, mark):
        return web.Response(status=204)
    answer = visit.render(
        "pages/target.html",
        block="health",
        target=target,
        health=health,
        dead=dead,
        mark=mark,
        **WORDS,
    )
    answer.headers["HX-Trigger"] = CHANGED
    return answer


async def show_last(visit: Visit) -> web.StreamResponse:
    """What was sent to it last, where that changed."""
    target = await target_of_path(visit)
    if not visit.is_partial:
        return await _page(visit, target)
    last = await last_deliveries(visit, _of(target))
    mark = mark_of(*(last or ()))
    if last is None or is_known(visit, mark):
        return web.Response(status=204)
    return visit.render(
        "pages/target.html", block="last", target=target, last=last, last_mark=mark, **WORDS
    )


def _mark(
    visit: Visit, target: target_pb2.Target, health: Health, dead: Sequence[DeliveryCount]
) -> str:
    standing = health.standings.get(target.uid)
    if standing is None:
        return mark_of(target, health.unknown)
    is_later = standing.is_to_be_tried_later(visit.now())
    return mark_of(target, standing.status, standing.word, str(is_later), *dead)


async def _dead(visit: Visit, target: target_pb2.Target) -> Sequence[DeliveryCount]:
    """What is given up of it, by reason, as far as that is known."""
    found = await now_or_lately(visit)
    return () if found is None else found.dead_of(target.uid)


def _of(target: target_pb2.Target) -> delivery_pb2.DeliveryFilter:
    """What was sent to it, and not to another that had its name before."""
    return delivery_pb2.DeliveryFilter(target_uids=[target.uid])


async def last_deliveries(
    visit: Visit, which: delivery_pb2.DeliveryFilter
) -> Sequence[delivery_pb2.Delivery] | None:
    """None where Delivery does not answer."""
    request = ListDeliveriesRequest(filter=which, page_size=LAST)
    found = await unless_failed(
        visit.api.call(visit.api.delivery.ListDeliveries, request, timeout=SECONDS)
    )
    return None if found is None else found.deliveries  # its health says why


async def ask_disable(visit: Visit) -> web.StreamResponse:
    """Says what that means, and for whom."""
    target = await target_of_path(visit)
    health, groups = await asyncio.gather(
        ask_health(visit.api, [target], visit.now()), groups_with(visit, target.name)
    )
    return visit.render(
        "pages/target_disable.html",
        target=target,
        health=health,
        groups=groups,
        without=await _without(visit, target, groups),
        command=commands.plain("disable", target.name),
    )


async def disable(visit: Visit) -> web.StreamResponse:
    """Send nothing any more; what is meant for it waits."""
    return await _set_disabled(visit, disabled=True)


async def enable(visit: Visit) -> web.StreamResponse:
    """Send again, what waited first."""
    return await _set_disabled(visit, disabled=False)


async def _set_disabled(visit: Visit, *, disabled: bool) -> web.StreamResponse:
    name = visit.request.match_info["name"]
    request = UpdateTargetRequest(
        target=target_pb2.Target(name=name, disabled=disabled),
        update_mask=FieldMask(paths=["disabled"]),
    )
    answer = await visit.api.call(visit.api.config.UpdateTarget, request)
    text = (
        f"{name} is disabled: what is meant for it waits."
        if disabled
        else f"{name} is enabled: what waited for it is sent."
    )
    await visit.applied(answer.target.revision, text, warnings_of(request, answer.warnings))
    raise web.HTTPSeeOther(path_of(name))


async def resume(visit: Visit) -> web.StreamResponse:
    """Try it again now, though it is paused or fails."""
    target = await target_of_path(visit)
    request = ResumeTargetRequest(target_uid=target.uid)
    await visit.api.call(visit.api.delivery.ResumeTarget, request)
    health = await ask_health(visit.api, [target], visit.now())
    found = health.standings.get(target.uid)
    if found is not None and not found.status.open_count:
        # It may also have been taken in the meantime; either way there is nothing to try.
        visit.notice(
            f"Nothing waits for {target.name} now: the next delivery to it goes at once, "
            "and tells whether it works.",
            "warning" if found.can_resume else "done",
        )
    elif health.held_since is not None:
        visit.notice(f"All deliveries are held: {target.name} is tried once that ends.", "warning")
    else:
        visit.notice(
            f"One delivery to {target.name} is tried now; the rest follow as soon as it is taken."
        )
    raise web.HTTPSeeOther(path_of(target.name))


async def ask_delete(visit: Visit) -> web.StreamResponse:
    """Says what would be lost with it."""
    return await _delete_page(visit, await target_of_path(visit), Form())


async def delete(visit: Visit) -> web.StreamResponse:
    """Delete it; where it is in use, or something waits for it, only with the box ticked."""
    form, name = await read_form(visit.request), visit.request.match_info["name"]
    request = DeleteTargetRequest(name=name, etag=form.text("etag"), force=form.is_on(CONSENT))
    try:
        answer = await visit.api.call(visit.api.config.DeleteTarget, request)
    except REFUSALS as error:
        faults = faults_of_deletion(error)
        return await _delete_page(visit, await target_of_path(visit), form, faults)
    await visit.applied(answer.revision, f"{name} is deleted.", answer.warnings)
    raise web.HTTPSeeOther(PATH)


async def _delete_page(
    visit: Visit, target: target_pb2.Target, form: Form, faults: Faults = NO_FAULTS
) -> web.Response:
    health, groups = await asyncio.gather(
        ask_health(visit.api, [target], visit.now()), groups_with(visit, target.name)
    )
    standing = health.standings.get(target.uid)
    waiting = 0 if standing is None else standing.status.open_count
    needs_force = bool(groups or waiting or health.unknown)
    return visit.render(
        "pages/target_delete.html",
        status=REFUSED if faults.any else 200,
        target=target,
        health=health,
        groups=groups,
        without=await _without(visit, target, groups),
        waiting=waiting,
        needs_force=needs_force,
        sure=form.is_on(CONSENT),
        faults=faults,
        command=commands.delete(target.name, force=needs_force),
        **WORDS,
    )


async def _without(
    visit: Visit, target: target_pb2.Target, groups: Sequence[Group]
) -> Without | None:
    """What nobody would be told of any more; None where it tells nobody anyway."""
    if not groups or target.disabled or is_metric_server(target):
        return None
    return await ask_without(visit, lambda each: each.target == target.name)


def path_of(name: str) -> str:
    """The page of a target; a name needs no quoting."""
    return f"{PATH}/{name}"


ROUTES = (
    Route("GET", PATH, show_list),
    Route("GET", ONE, show_one),
    Route("GET", f"{ONE}/health", show_health),
    Route("GET", f"{ONE}/last", show_last),
    Route("GET", f"{ONE}/disable", ask_disable),
    Route("POST", f"{ONE}/disable", disable),
    Route("POST", f"{ONE}/enable", enable),
    Route("POST", f"{ONE}/resume", resume),
    Route("GET", f"{ONE}/delete", ask_delete),
    Route("POST", f"{ONE}/delete", delete),
)
