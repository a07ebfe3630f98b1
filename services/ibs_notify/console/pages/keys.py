"""Keys: every stored secret is sealed with one of them."""

from __future__ import annotations

from aiohttp import web

from ibs_notify.console.commands import keys as command
from ibs_notify.console.forms import REFUSALS, read_form
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ironcore.notification.v1.config_service_pb2 import (
    Key,
    ListKeysRequest,
    RemoveKeyRequest,
    RotateKeysRequest,
)

PATH = "/keys"
ROTATION_SECONDS = 120.0
"""Every secret is sealed anew. What is interrupted goes on by itself."""


async def show(visit: Visit) -> web.StreamResponse:
    """The keys, the newest first, and how many secrets each one seals."""
    answer = await visit.api.call(visit.api.config.ListKeys, ListKeysRequest())
    return visit.render(
        "pages/keys.html",
        keys=answer.keys,
        source=answer.source,
        state=state,
        rotation=command.rotate(),
    )


async def rotate(visit: Visit) -> web.StreamResponse:
    """Make a new key and seal every stored secret with it, while everything runs."""
    form = await read_form(visit.request)
    request = RotateKeysRequest(keep_newest=form.is_on("keep_newest"))
    answer = await visit.api.call(visit.api.config.RotateKeys, request, timeout=ROTATION_SECONDS)
    done = f"The newest key is {answer.key_id}; secrets sealed anew: {answer.resealed_count:,}."
    await visit.applied(answer.revision, done, answer.warnings)
    raise web.HTTPSeeOther(PATH)


async def remove(visit: Visit) -> web.StreamResponse:
    """Take an old key out of the key file, unless something is still sealed with it."""
    key_id = visit.request.match_info["key_id"]
    try:
        await visit.api.call(visit.api.config.RemoveKey, RemoveKeyRequest(key_id=key_id))
    except REFUSALS as error:
        visit.notice(f"{error}", "failed")
    else:
        visit.notice(f"The key {key_id} is removed; a backup of before the rotation needs it.")
    raise web.HTTPSeeOther(PATH)


def state(key: Key) -> str:
    """``newest``, ``in use``, ``can be removed`` or ``missing``."""
    if not key.available:
        return "missing"
    if key.newest:
        return "newest"
    return "in use" if key.secret_count else "can be removed"


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", f"{PATH}/rotate", rotate),
    Route("POST", f"{PATH}/{{key_id}}/remove", remove),
)
