"""The forms that make a group and change it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, assert_never

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
from ibs_notify.console.groups.differences import (
    Joined,
    differences,
    join,
    label,
    take_stored,
)
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
from ibs_notify.console.groups.gathering import Gathering
from ibs_notify.console.groups.holding import Holding, holding, lets_go, said_of_change
from ibs_notify.console.groups.recommended import RECOMMENDED, recommended
from ibs_notify.console.overtaken import (
    TAKE,
    Difference,
    faults_of_overtaken,
    kept_of,
    opened_with,
)
from ibs_notify.console.pages import command_line, start
from ibs_notify.console.pages.gathered import gathered
from ibs_notify.console.pages.groups import find_group, path_of
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.rules import DOUBT, doubt_of
from ibs_notify.console.rendering import query
from ibs_notify.console.time_zone import ZONES
from ibs_notify.console.visit import Visit
from ibs_notify.domain.errors import InvalidArgument, NotFound, NotificationError
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
    gathering = await gathered(visit, draft)
    if gathering is not None:
        draft = gathering.fill(draft)
    adds = bool(asked) and all(each.target != asked for each in draft.rows)
    if adds:
        draft = replace(draft, rows=(*draft.rows, Row(asked)))
    return await _edit_page(visit, draft, group, added=adds, gathering=gathering)


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
        return await _edit_page(visit, draft, current, adds=True)
    if form.text(TAKE):
        return await _take(visit, draft, current, form.text(TAKE))
    before = draft_of_group(_opened(draft, current))
    if doubtful := await _doubtful(visit, draft, before):
        return await _ask_about_rules(visit, draft, doubtful, current)
    made = _Made(current)
    try:
        joined = _joined(draft, current)
        if joined.both:
            return await _overtaken(visit, draft, current, joined)
        goes = lets_go(current, joined.group)
        holds = await holding(visit, current) if goes else Holding()
        for change in changes(current, joined.group):
            made.trying = change
            made.take(await _make(visit, change.request))
    except NotificationError as error:
        if not made.done and not isinstance(error, _CHANGE_REFUSALS):
            raise
        draft = made.say_so_far(visit, draft)
        faults = faults_of(error, {**NAMES, **row_names(draft), **_names_of(made.trying, draft)})
        return await _edit_page(visit, draft, current, faults)
    said = "; ".join(made.done)
    text = f"Group {current.name} is saved: {said}." if said else "Nothing was changed."
    if joined.theirs:
        visit.notice(kept_of(current, ", ".join(map(label, joined.theirs))), "info")
    _say_names(visit, draft, current.attachments)
    await visit.applied(made.group.revision, text, made.warnings)
    for each in said_of_change(holds, current, made.group):
        visit.notice(each, "info")
    raise web.HTTPSeeOther(path_of(current.name))


def _opened(draft: Draft, current: Group) -> Group:
    """What the form was opened with, as far as it says so."""
    return opened_with(draft.opened, Group) or current


def _joined(draft: Draft, current: Group) -> Joined:
    """What is to be saved, where somebody else has saved it meanwhile too. ``InvalidArgument``.

    Of a group's several changes only one has an etag: who was overtaken is told before any.
    """
    opened = opened_with(draft.opened, Group)
    kept = [*current.attachments, *(opened.attachments if opened else ())]
    mine = group_of(draft, kept)
    if not draft.etag or draft.etag == current.etag:
        return Joined(mine)
    return join(opened, mine, current)


async def _overtaken(visit: Visit, draft: Draft, stored: Group, joined: Joined) -> web.Response:
    """The fields keep what was changed in them; the next Save goes on from what is stored now."""
    now = draft_of_group(stored)
    goes_on = replace(
        draft_of_group(joined.group),
        etag=now.etag,
        opened=now.opened,
        differs=tuple(joined.both),
        asked=draft.asked,
    )
    return await _edit_page(
        visit,
        goes_on,
        stored,
        faults_of_overtaken(stored),
        others=differences(joined.group, stored, joined.both),
        theirs=[*map(label, joined.theirs)],
    )


async def _take(visit: Visit, draft: Draft, stored: Group, key: str) -> web.Response:
    """One of the fields that both changed is as it is stored; nothing is saved yet."""
    faults = NO_FAULTS
    others: Sequence[Difference] = ()
    try:
        mine = group_of(draft, stored.attachments)
    except InvalidArgument as error:
        faults = faults_of(error, {**NAMES, **row_names(draft)})
    else:
        taken = take_stored(mine, stored, key if key in draft.differs else "")
        others = differences(taken, stored, draft.differs)
        draft = replace(
            draft_of_group(taken),
            etag=draft.etag,
            opened=draft.opened,
            differs=draft.differs,
            asked=draft.asked,
        )
    return await _edit_page(visit, draft, stored, faults, others=others)


async def show_edit_command(visit: Visit) -> web.StreamResponse:
    """The same on the command line."""
    current = await find_group(visit)
    draft = draft_of_form(await read_form(visit.request), current.name)

    def say() -> str:
        wanted = _joined(draft, current).group
        return command.update([each.request for each in changes(current, wanted)])

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
    visit: Visit, draft: Draft, doubtful: list[str], group: Group | None = None
) -> web.Response:
    """Before anything is saved, and only once."""
    fault = f"{DOUBT}. Save again if it is meant so."
    fields = {name: fault for name, rule in draft.rules().items() if rule in doubtful}
    faults = Faults(fields, "A rule needs another look; nothing is saved yet.")
    asked = replace(draft, asked=(*draft.asked, *doubtful))
    if group is not None:
        return await _edit_page(visit, asked, group, faults)
    return _page(visit, asked, await every_target(visit.api), faults)


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
        now = draft_of_group(self.group)
        return replace(draft, etag=now.etag, opened=now.opened)


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


def _names_of(change: Change | None, draft: Draft) -> Mapping[str, str]:
    """The fields of the row that a change is about."""
    if change is None or not change.target:
        return {}
    row = next((n for n, each in enumerate(draft.rows) if each.target == change.target), 0)
    return {f"subscription.{part}": f"{part}-{row}" for part in ("target", "rule", "recipients")}


async def _edit_page(
    visit: Visit, draft: Draft, group: Group, faults: Faults = NO_FAULTS, **more: Any
) -> web.Response:
    """The form of ``group`` as it is stored, with what it holds back now."""
    targets, holds = await asyncio.gather(every_target(visit.api), holding(visit, group))
    return _page(visit, draft, targets, faults, name=group.name, stored=group, holds=holds, **more)


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
    theirs: Sequence[str] = (),
    stored: Group | None = None,
    gathering: Gathering | None = None,
    holds: Holding | None = None,
) -> web.Response:
    """``adds`` a row to write one more target in, as the first of a new group is there anyway;
    ``added``: the last row is such a one already. ``others`` is what somebody else changed too, as
    ``stored`` has it, and ``theirs`` the labels of what only they did. ``gathering`` is what its
    digest is to gather.
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
        theirs=theirs,
        stored=stored,
        gathering=gathering,
        holds=holds,
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
