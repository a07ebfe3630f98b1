"""The forms that make a group and change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from aiohttp import web

from ibs_notify.console.commands import groups as command
from ibs_notify.console.configured import every_target
from ibs_notify.console.forms import (
    NO_FAULTS,
    REFUSED,
    SHOWN_AGAIN,
    Faults,
    faults_of,
    read_form,
)
from ibs_notify.console.groups import folded
from ibs_notify.console.groups.changes import Change, Request, changes
from ibs_notify.console.groups.differences import differences
from ibs_notify.console.groups.draft import (
    MOST_ROWS,
    NAMES,
    Draft,
    Row,
    draft_about,
    draft_of_form,
    draft_of_group,
    group_of,
    row_names,
)
from ibs_notify.console.groups.recommended import RECOMMENDED, recommended
from ibs_notify.console.pages import command_line, start
from ibs_notify.console.pages.groups import find_group, path_of
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.rules import DOUBT, doubt_of
from ibs_notify.console.rendering import query
from ibs_notify.console.targets.changes import Difference
from ibs_notify.console.time_zone import ZONES
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import (
    Aborted,
    NotFound,
    NotificationError,
    Reason,
)
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import Target

NEW = "/new-group"
EDIT = "/groups/{name}/edit"
_Answer: TypeAlias = (
    pb.UpdateGroupResponse
    | pb.AddSubscriptionResponse
    | pb.UpdateSubscriptionResponse
    | pb.RemoveSubscriptionResponse
    | pb.AttachResourceResponse
    | pb.DetachResourceResponse
)
_CHANGE_REFUSALS = (*SHOWN_AGAIN, NotFound)


async def show_new(visit: Visit) -> web.StreamResponse:
    """An empty form, one of the recommended groups, or one about a ``resource`` with a ``rule``."""
    targets, asked = await every_target(visit.api), visit.request.query
    draft = recommended(asked.get("start", ""), targets) or draft_about(
        asked.get("resource", ""), asked.get("rule", ""), asked.get("target", "")
    )
    return _page(visit, draft, targets)


async def create(visit: Visit) -> web.StreamResponse:
    """Make it in one call: all of it or nothing."""
    form = await read_form(visit.request)
    draft = draft_of_form(form)
    if form.is_on("more"):
        return _page(visit, draft, await every_target(visit.api), adds=True)
    if doubtful := await _doubtful(visit, draft):
        return await _ask_about_rules(visit, draft, doubtful)
    try:
        request = pb.CreateGroupRequest(group=group_of(draft))
        answer = await visit.api.call(visit.api.config.CreateGroup, request)
    except SHOWN_AGAIN as error:
        faults = faults_of(error, {**NAMES, **row_names(draft)})
        return _page(visit, draft, await every_target(visit.api), faults)
    text = f"Group {draft.name} is saved, and jobs can select it."
    _say_names(visit, draft)
    await visit.applied(answer.group.revision, text, answer.warnings)
    await start.say_next(visit)
    raise web.HTTPSeeOther(path_of(draft.name))


async def show_create_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    draft = draft_of_form(await read_form(visit.request))
    return command_line.show(visit, lambda: command.create(group_of(draft)))


async def show_edit(visit: Visit) -> web.StreamResponse:
    """The form of a group that there is."""
    group = await find_group(visit)
    draft, asked = draft_of_group(group), visit.request.query.get("target", "")
    adds = bool(asked) and all(each.target != asked for each in draft.rows)
    if adds:
        draft = replace(draft, rows=(*draft.rows, Row(asked)))
    return _page(visit, draft, await every_target(visit.api), name=group.name, added=adds)


async def show_added(visit: Visit) -> web.StreamResponse:
    """Where a target page's choice of a group leads: to that group's form."""
    asked = visit.request.query
    path = path_of(asked.get("group", ""))
    raise web.HTTPSeeOther(query(f"{path}/edit", target=asked.get("target", "")))


async def save(visit: Visit) -> web.StreamResponse:
    """Change what the form changed, call by call; the first refusal ends it and is said."""
    form = await read_form(visit.request)
    current = await find_group(visit)
    draft = draft_of_form(form, current.name)
    if form.is_on("more"):
        targets = await every_target(visit.api)
        return _page(visit, draft, targets, adds=True, name=current.name)
    if doubtful := await _doubtful(visit, draft, draft_of_group(current)):
        return await _ask_about_rules(visit, draft, doubtful, current.name)
    made = _Made(current)
    try:
        wanted = group_of(draft, current.attachments)
        _require_same(current, draft)
        for change in changes(current, wanted):
            made.trying = change
            made.take(await _make(visit, change.request))
    except NotificationError as error:
        if not made.done and not isinstance(error, _CHANGE_REFUSALS):
            raise
        draft = made.say_so_far(visit, draft)
        if error.reason is Reason.ETAG_MISMATCH:
            return await _overtaken(visit, draft, current, error)
        faults = faults_of(error, {**NAMES, **row_names(draft), **_names_of(made.trying, draft)})
        return _page(visit, draft, await every_target(visit.api), faults, name=current.name)
    said = "; ".join(made.done)
    text = f"Group {current.name} is saved: {said}." if said else "Nothing was changed."
    _say_names(visit, draft, current.attachments)
    await visit.applied(made.group.revision, text, made.warnings)
    raise web.HTTPSeeOther(path_of(current.name))


async def _overtaken(
    visit: Visit, draft: Draft, stored: Group, error: NotificationError
) -> web.Response:
    """The fields keep what was written, and the next Save goes on from what is stored now."""
    others = differences(draft_of_group(stored), draft)
    targets, faults = await every_target(visit.api), faults_of(error, NAMES)
    goes_on = replace(draft, etag=stored.etag)
    return _page(visit, goes_on, targets, faults, name=stored.name, others=others, stored=stored)


async def show_edit_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    current = await find_group(visit)
    draft = draft_of_form(await read_form(visit.request), current.name)

    def say() -> str:
        return command.update(
            [each.request for each in changes(current, group_of(draft, current.attachments))]
        )

    return command_line.show(visit, say)


def _say_names(visit: Visit, draft: Draft, kept: Collection[str] = ()) -> None:
    """That a name alone was taken for a datastore, and how it is written now."""
    for name, resource in draft.understood(kept).items():
        if resource == f"/datastore/{name}":
            visit.notice(f"“{name}” is the datastore: it is attached as {resource}.", "info")


async def _doubtful(visit: Visit, draft: Draft, before: Draft | None = None) -> list[str]:
    """Those of its rules that can probably match nothing, and are new."""
    return [each for each in draft.new_rules(before) if await doubt_of(visit, each)]


async def _ask_about_rules(
    visit: Visit, draft: Draft, doubtful: list[str], group: str = ""
) -> web.Response:
    """Before anything is saved, and only once."""
    fault = f"{DOUBT}. Save again if it is meant so."
    fields = {name: fault for name, rule in draft.rules().items() if rule in doubtful}
    faults = Faults(fields, "A rule needs another look; nothing is saved yet.")
    asked = replace(draft, asked=(*draft.asked, *doubtful))
    return _page(visit, asked, await every_target(visit.api), faults, name=group)


@dataclass(slots=True)
class _Made:
    """What was changed so far, and what is being tried."""

    group: Group
    done: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    trying: Change | None = None

    def take(self, answer: _Answer) -> None:
        """What was tried is done."""
        self.group = answer.group
        self.warnings += answer.warnings
        if self.trying is not None:
            self.done.append(self.trying.done)

    def say_so_far(self, visit: Visit, draft: Draft) -> Draft:
        """The form goes on from what is saved."""
        if not self.done:
            return draft
        visit.notice(f"Saved so far: {'; '.join(self.done)}.", "warning")
        for warning in self.warnings:
            visit.notice(warning, "warning")
        return replace(draft, etag=self.group.etag)


async def _make(visit: Visit, request: Request) -> _Answer:
    config = visit.api.config
    match request:
        case pb.UpdateGroupRequest():
            return await visit.api.call(config.UpdateGroup, request)
        case pb.AddSubscriptionRequest():
            return await visit.api.call(config.AddSubscription, request)
        case pb.UpdateSubscriptionRequest():
            return await visit.api.call(config.UpdateSubscription, request)
        case pb.RemoveSubscriptionRequest():
            return await visit.api.call(config.RemoveSubscription, request)
        case pb.AttachResourceRequest():
            return await visit.api.call(config.AttachResource, request)
        case pb.DetachResourceRequest():
            return await visit.api.call(config.DetachResource, request)
        case _:
            assert_never(request)


def _require_same(current: Group, draft: Draft) -> None:
    """Of a group's several changes only one has an etag: who was overtaken is told before any."""
    if draft.etag and draft.etag != current.etag:
        raise Aborted(
            Reason.ETAG_MISMATCH,
            f"group {current.name!r} was changed by {current.updated_by} meanwhile",
            advice="compare yours with it, and save again: then yours is stored",
        )


def _names_of(change: Change | None, draft: Draft) -> Mapping[str, str]:
    """The fields of the row that a change is about."""
    if change is None or not change.target:
        return {}
    row = next((n for n, each in enumerate(draft.rows) if each.target == change.target), 0)
    return {f"subscription.{part}": f"{part}-{row}" for part in ("target", "rule", "recipients")}


def _page(
    visit: Visit,
    draft: Draft,
    targets: list[Target],
    faults: Faults = NO_FAULTS,
    *,
    name: str = "",
    adds: bool = False,
    added: bool = False,
    others: Sequence[Difference] = (),
    stored: Group | None = None,
) -> web.Response:
    """``adds`` a row to write one more target in, as the first of a new group is there anyway;
    ``added``: the last row is such a one already. ``others`` is what differs from ``stored``, as
    somebody else has saved it meanwhile.
    """
    rows = (*draft.rows, Row()) if adds or not draft.rows else draft.rows
    unused = {each.name for each in targets} - {each.target for each in rows}
    left = min(len(unused), MOST_ROWS - len(rows)) - sum(not each.target for each in rows)
    return visit.render(
        "pages/group_form.html",
        status=REFUSED if faults.any else 200,
        draft=draft,
        rows=rows,
        added=len(rows) - 1 if adds or added else None,
        can_add=left > 0,
        limits=folded.limits(draft, faults),
        digest=folded.digest(draft, faults),
        targets=targets,
        faults=faults,
        others=others,
        stored=stored,
        name=name,
        recommended=RECOMMENDED,
        zones=ZONES,
        zone=visit.time_zone,
    )


ROUTES = (
    Route("GET", NEW, show_new),
    Route("POST", NEW, create),
    Route("POST", f"{NEW}/command", show_create_command),
    Route("GET", "/add-to-group", show_added),
    Route("GET", EDIT, show_edit),
    Route("POST", EDIT, save),
    Route("POST", f"{EDIT}/command", show_edit_command),
)
