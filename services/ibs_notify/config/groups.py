"""The use cases of groups, their subscriptions and attachments: one transaction each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.config import validate_group as validate
from ibs_notify.config.checks import find_group, find_target, require_etag
from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import GROUP_PATHS, SUBSCRIPTION_PATHS, check_mask, merge
from ibs_notify.config.ports import Change, Repository, Saved, View
from ibs_notify.config.validate_templates import check_group_bodies
from ibs_notify.config.warn_group import group_warnings, subscription_warnings
from ibs_notify.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from ibs_notify.domain.resource import canonical, is_under
from ibs_notify.domain.text_search import check_sought
from ibs_notify.rpc.group_places import places_with
from ironcore.notification.v1.group_pb2 import (
    GROUP_SCOPE_ATTACHED,
    GROUP_SCOPE_EVERYTHING,
    Group,
    Subscription,
)

_MOST_NAMED = 5
_MOST_ASKED = 200


class Groups:
    """Subscriptions and attachments change by their own calls only."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def get(self, name: str) -> Group:
        """``NotFound`` where there is none."""
        return await self._repository.read(lambda view: find_group(view, name))

    async def page(self, after: str, limit: int, resource: str = "", text: str = "") -> list[Group]:
        """At most ``limit`` groups by name, those after ``after``.

        With a resource, its hearers; with a text, those that have it in them, ``InvalidArgument``
        where it is too long.
        """
        check_sought(text)

        def look(view: View) -> list[Group]:
            if not resource and not text:
                return view.groups(after, limit)
            place = canonical(resource)
            wanted = (
                group
                for group in view.groups(after)
                if (not resource or hears_of(group, place))
                and (not text or any(places_with(group, text)))
            )
            return list(islice(wanted, limit))

        return await self._repository.read(look)

    async def attachments(self) -> list[str]:
        """Resources that groups are attached to, each once; of the first groups, if many."""

        def look(view: View) -> list[str]:
            groups = view.groups("", _MOST_ASKED)
            return sorted({each for group in groups for each in group.attachments})

        return await self._repository.read(look)

    async def create(self, request: Group, author: str) -> Saved[Group]:
        """``AlreadyExists`` where the name is taken, ``InvalidArgument`` naming every fault."""

        def work(change: Change) -> Saved[Group]:
            group = _new_group(request)
            targets = {target.name: target for target in change.targets()}
            faults = Faults()
            validate.check_group(group, faults)
            validate.check_subscriptions(group, targets, faults)
            faults.raise_any()
            if change.group(group.name) is not None:
                raise AlreadyExists(
                    Reason.GROUP_EXISTS,
                    f"there is a group {group.name!r} already",
                    advice="choose another name, or update it",
                )
            saved = change.put_group(group)
            warnings = group_warnings(saved)
            for subscription in saved.subscriptions:
                target = targets[subscription.target]
                warnings += subscription_warnings(subscription, target, change.settings())
            return Saved(saved, tuple(warnings))

        return await self._repository.change(author, work)

    async def update(self, request: Group, mask: FieldMask, author: str) -> Saved[Group]:
        """``Aborted`` where the etag is not the current one."""

        def work(change: Change) -> Saved[Group]:
            stored = find_group(change, request.name)
            require_etag(request.etag, stored, f"group {stored.name!r}")
            faults = Faults()
            group = merge(stored, request, check_mask(mask, GROUP_PATHS, faults))
            validate.fill_group_defaults(group)
            validate.check_group(group, faults)
            check_group_bodies(group, {each.name: each for each in change.targets()}, faults)
            faults.raise_any()
            saved = change.put_group(group)
            return Saved(saved, tuple(group_warnings(saved)))

        return await self._repository.change(author, work)

    async def delete(self, name: str, etag: str, author: str, *, force: bool) -> int:
        """Returns the revision without it. Unless forced it must hold nothing any more."""

        def work(change: Change) -> int:
            group = find_group(change, name)
            require_etag(etag, group, f"group {name!r}")
            if not force:
                _require_empty(group)
            change.delete_group(group)
            return change.revision

        return await self._repository.change(author, work)

    async def add_subscription(self, name: str, request: Subscription, author: str) -> Saved[Group]:
        """``AlreadyExists`` where the group holds the target."""

        def work(change: Change) -> Saved[Group]:
            group = find_group(change, name)
            target = find_target(change, request.target)
            if any(each.target == request.target for each in group.subscriptions):
                raise AlreadyExists(
                    Reason.SUBSCRIPTION_EXISTS,
                    f"group {name!r} holds target {request.target!r} already",
                    advice="update its rule; join two rules with 'or'",
                )
            subscription = Subscription()
            subscription.CopyFrom(request)
            subscription.uid = uuid4().hex
            faults = Faults()
            if len(group.subscriptions) >= validate.MAX_SUBSCRIPTIONS:
                most = validate.MAX_SUBSCRIPTIONS
                faults.add("group", f"{name!r} holds {most} targets, the most there may be")
            validate.check_subscription(subscription, target, faults, "subscription")
            group.subscriptions.append(subscription)
            check_group_bodies(group, {target.name: target}, faults)
            faults.raise_any()
            warnings = subscription_warnings(subscription, target, change.settings())
            return Saved(change.put_group(group), tuple(warnings))

        return await self._repository.change(author, work)

    async def update_subscription(
        self, name: str, request: Subscription, mask: FieldMask, author: str
    ) -> Saved[Group]:
        """``NotFound`` where the group does not hold the target."""

        def work(change: Change) -> Saved[Group]:
            group = find_group(change, name)
            stored = _find_subscription(group, request.target)
            target = find_target(change, request.target)
            faults = Faults()
            paths = check_mask(mask, SUBSCRIPTION_PATHS, faults)
            subscription = merge(stored, request, paths)
            validate.check_subscription(subscription, target, faults, "subscription")
            faults.raise_any()
            stored.CopyFrom(subscription)
            warnings = subscription_warnings(subscription, target, change.settings())
            return Saved(change.put_group(group), tuple(warnings))

        return await self._repository.change(author, work)

    async def remove_subscription(self, name: str, target: str, author: str) -> Saved[Group]:
        """``NotFound`` where the group does not hold the target."""

        def work(change: Change) -> Saved[Group]:
            group = find_group(change, name)
            group.subscriptions.remove(_find_subscription(group, target))
            warning = f"group {name!r} has no target any more"
            warnings = () if group.subscriptions else (warning,)
            return Saved(change.put_group(group), warnings)

        return await self._repository.change(author, work)

    async def attach(self, name: str, resource: str, author: str) -> Saved[Group]:
        """Attaching what is attached changes nothing."""
        return await self._change_attachments(name, resource, author, _attach)

    async def detach(self, name: str, resource: str, author: str) -> Saved[Group]:
        """``NotFound`` where the resource is not attached."""
        return await self._change_attachments(name, resource, author, _detach)

    async def _change_attachments(
        self,
        name: str,
        resource: str,
        author: str,
        alter: Callable[[Group, str, Faults], list[str]],
    ) -> Saved[Group]:
        def work(change: Change) -> Saved[Group]:
            group = find_group(change, name)
            before = list(group.attachments)
            faults = Faults()
            faults.add("resource", validate.resource_problem(resource))
            faults.raise_any()
            warnings = alter(group, canonical(resource), faults)
            faults.raise_any()
            changed = list(group.attachments) != before
            return Saved(change.put_group(group) if changed else group, tuple(warnings))

        return await self._repository.change(author, work)


def hears_of(group: Group, resource: str) -> bool:
    """Whether events about a canonical resource, that name no group, reach the group's rules."""
    if group.scope == GROUP_SCOPE_EVERYTHING:
        return True
    return group.scope == GROUP_SCOPE_ATTACHED and any(
        is_under(resource, attachment) for attachment in group.attachments
    )


def _new_group(request: Group) -> Group:
    group = Group()
    group.CopyFrom(request)
    group.uid = group.etag = group.created_by = group.updated_by = ""
    group.revision = 0
    group.ClearField("create_time")
    group.ClearField("update_time")
    attachments = dict.fromkeys(canonical(resource) for resource in request.attachments)
    del group.attachments[:]
    group.attachments.extend(attachments)
    if attachments:
        group.scope = group.scope or GROUP_SCOPE_ATTACHED
    for subscription in group.subscriptions:
        subscription.uid = uuid4().hex
    validate.fill_group_defaults(group)
    return group


def _require_empty(group: Group) -> None:
    held = [f"target {each.target!r}" for each in group.subscriptions]
    held += [f"resource {each!r}" for each in group.attachments]
    if held:
        more = f" and {len(held) - _MOST_NAMED} more" if len(held) > _MOST_NAMED else ""
        raise FailedPrecondition(
            Reason.GROUP_IN_USE,
            f"group {group.name!r} holds {', '.join(held[:_MOST_NAMED])}{more}",
            advice="take them out of it first, or delete it with --force, which lets go of them",
        )


def _find_subscription(group: Group, target: str) -> Subscription:
    for subscription in group.subscriptions:
        if subscription.target == target:
            return subscription
    raise NotFound(
        Reason.SUBSCRIPTION_NOT_FOUND, f"group {group.name!r} does not hold target {target!r}"
    )


def _attach(group: Group, resource: str, faults: Faults) -> list[str]:
    if resource in group.attachments:
        return []
    if len(group.attachments) >= validate.MAX_ATTACHMENTS:
        most = validate.MAX_ATTACHMENTS
        faults.add("resource", f"group {group.name!r} has {most} resources, the most there may be")
    warnings = validate.resource_warnings(resource)
    if not group.attachments and group.scope != GROUP_SCOPE_ATTACHED:
        group.scope = GROUP_SCOPE_ATTACHED
        warnings.append(
            f"the scope of group {group.name!r} is attached now: it only hears of events about its "
            "attached resources, and of those that name it"
        )
    group.attachments.append(resource)
    return warnings


def _detach(group: Group, resource: str, _faults: Faults) -> list[str]:
    if resource not in group.attachments:
        raise NotFound(
            Reason.ATTACHMENT_NOT_FOUND, f"{resource!r} is not attached to group {group.name!r}"
        )
    group.attachments.remove(resource)
    if group.attachments or group.scope != GROUP_SCOPE_ATTACHED:
        return []
    return [
        f"that was the last resource of group {group.name!r}, whose scope stays attached: it only "
        "hears of events that name it, until a resource is attached or its scope is changed"
    ]
