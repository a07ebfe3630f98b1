"""Digests: what is gathered, when it goes, what it would say now, and what became of it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ibs_notify.console.attempts import attempted, unless_failed
from ibs_notify.console.bearers import bearers_of_today
from ibs_notify.console.commands import digests as command
from ibs_notify.console.configured import every_group
from ibs_notify.console.forms import REFUSALS
from ibs_notify.console.http.bodies import laid_out
from ibs_notify.console.http.guard import LEADS_NOWHERE, MAIL_POLICY
from ibs_notify.console.pages.route import Route
from ibs_notify.console.rendering import query, segment
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import NotFound, NotificationError, Reason
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import GetGroupRequest
from ironcore.notification.v1.delivery_pb2 import (
    DELIVERY_STATE_DIGEST_OPEN,
    DELIVERY_STATE_DIGESTED,
    Delivery,
    DeliveryFilter,
)
from ironcore.notification.v1.group_pb2 import Group

PATH = "/digests"
PAGE = 50
MOST_OPEN = 1000
MOST_ENTRIES = 200
RENDER_SECONDS = 30.0
"""A digest of a hundred thousand events takes a while to be made."""


async def show(visit: Visit) -> web.StreamResponse:
    """Open windows, then the others, newest first."""
    asked = visit.request.query
    group, token = asked.get("group", ""), asked.get("page_token", "")
    call, listing = visit.api.call, visit.api.delivery.ListDigests
    request = pb.ListDigestsRequest(group=group, page_size=PAGE, page_token=token)
    still = pb.ListDigestsRequest(group=group, page_size=MOST_OPEN, open_only=True)
    answer, unfinished, groups, bearers = await asyncio.gather(
        call(listing, request), call(listing, still), _groups(visit), bearers_of_today(visit)
    )
    closed = [each for each in answer.digests if each.state == pb.DIGEST_WINDOW_STATE_CLOSED]
    next_url = ""
    if answer.next_page_token:
        next_url = query(PATH, group=group, page_token=answer.next_page_token)
    return visit.render(
        "pages/digests.html",
        block="windows" if visit.is_partial else "",
        open=sorted(unfinished.digests, key=lambda each: each.close_time.ToNanoseconds()),
        closed=closed,
        groups=groups,
        bearers=bearers,
        group=group,
        is_first=not token,
        next_url=next_url,
        first_url=query(PATH, group=group) if token else "",
        command=command.list_digests(group),
    )


async def show_one(visit: Visit) -> web.StreamResponse:
    """A window with what is in it."""
    window = await _window(visit)
    entries, group, bearers = await asyncio.gather(
        _entries(visit, window), _group(visit, window.group), bearers_of_today(visit)
    )
    ended = window.close_time if window.state == pb.DIGEST_WINDOW_STATE_CLOSED else None
    return visit.render(
        "pages/digest.html",
        window=window,
        entries=entries,
        group=None if bearers.is_earlier_group(window.group, ended) else group,
        bearers=bearers,
        ended=ended,
        is_open=window.state == pb.DIGEST_WINDOW_STATE_OPEN,
        preview_url=_address(window, "preview"),
        command=command.preview(window.digest_id),
        flush_command=command.flush(window.digest_id),
    )


async def show_preview(visit: Visit) -> web.StreamResponse:
    """What it would say now: a part of the page, or a page by itself."""
    window = await _window(visit)
    request = pb.PreviewDigestRequest(digest_id=window.digest_id)
    answer = await attempted(
        visit.api.call(visit.api.delivery.PreviewDigest, request, timeout=RENDER_SECONDS)
    )
    error = answer if isinstance(answer, NotificationError) else None
    preview = None if isinstance(answer, NotificationError) else answer
    return visit.render(
        "pages/digest_preview.html",
        block="preview" if visit.is_partial else "",
        window=window,
        preview=preview,
        error=error,
        body="" if preview is None else laid_out(preview.body),
        mail_url=_address(window, "mail"),
    )


async def show_mail(visit: Visit) -> web.StreamResponse:
    """The HTML of its mail, and nothing else: for a frame."""
    request = pb.PreviewDigestRequest(digest_id=visit.request.match_info["digest_id"])
    preview = await visit.api.call(
        visit.api.delivery.PreviewDigest, request, timeout=RENDER_SECONDS
    )
    return web.Response(
        text=preview.html + LEADS_NOWHERE,
        content_type="text/html",
        headers={"Content-Security-Policy": MAIL_POLICY},
    )


async def flush(visit: Visit) -> web.StreamResponse:
    """Send it now."""
    digest_id = visit.request.match_info["digest_id"]
    try:
        await visit.api.call(
            visit.api.delivery.FlushDigest,
            pb.FlushDigestRequest(digest_id=digest_id),
            timeout=RENDER_SECONDS,
        )
    except REFUSALS as error:
        visit.notice(" ".join(filter(None, (f"{error.message}.", error.advice))), "failed")
    else:
        visit.notice(f"{digest_id} is closed and being sent. What comes later is in the next one.")
    raise web.HTTPSeeOther(f"{PATH}/{segment(digest_id)}")


async def _window(visit: Visit) -> pb.DigestWindow:
    digest_id = visit.request.match_info["digest_id"]
    request = pb.ListDigestsRequest(digest_id=digest_id)
    found = (await visit.api.call(visit.api.delivery.ListDigests, request)).digests
    if not found:
        raise NotFound(Reason.DIGEST_NOT_FOUND, f"there is no digest {digest_id!r}")
    return found[0]


async def _entries(visit: Visit, window: pb.DigestWindow) -> list[Delivery]:
    """The newest events that it holds or held."""
    is_closed = window.state == pb.DIGEST_WINDOW_STATE_CLOSED
    state = DELIVERY_STATE_DIGESTED if is_closed else DELIVERY_STATE_DIGEST_OPEN
    chosen = DeliveryFilter(
        groups=[window.group],
        targets=[window.target],
        target_uids=[window.target_uid] if window.target_uid else (),
        states=[state],
        before=window.close_time if is_closed else None,
    )
    request = pb.ListDeliveriesRequest(filter=chosen, page_size=MOST_ENTRIES)
    answer = await visit.api.call(visit.api.delivery.ListDeliveries, request)
    return [each for each in answer.deliveries if each.digest.digest_id == window.digest_id]


async def _group(visit: Visit, name: str) -> Group | None:
    """None where it is gone, or Config does not say."""
    request = GetGroupRequest(name=name)
    found = await unless_failed(visit.api.call(visit.api.config.GetGroup, request))
    return None if found is None else found.group


async def _groups(visit: Visit) -> list[Group]:
    """Those with a digest or a summary; none where Config does not say."""
    found = await unless_failed(every_group(visit.api)) or ()
    return [each for each in found if each.HasField("digest") or each.weekly_summary]


def _address(window: pb.DigestWindow, part: str) -> str:
    return f"{PATH}/{segment(window.digest_id)}/{part}"


ROUTES = (
    Route("GET", PATH, show),
    Route("GET", f"{PATH}/{{digest_id}}", show_one),
    Route("GET", f"{PATH}/{{digest_id}}/preview", show_preview),
    Route("GET", f"{PATH}/{{digest_id}}/mail", show_mail),
    Route("POST", f"{PATH}/{{digest_id}}/flush", flush),
)
