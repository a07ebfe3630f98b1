"""The use cases of targets: one transaction each, refused whole or done whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.config.checks import find_target, require_etag
from ibs_notify.config.faults import Faults
from ibs_notify.config.key_rotation import keyring_to_seal
from ibs_notify.config.masks import TargetUpdate, update_target
from ibs_notify.config.ports import Change, DeliveryPort, Repository, Saved, View
from ibs_notify.config.secrets_policy import Verdict
from ibs_notify.config.signing_rotation import rotate
from ibs_notify.config.target_check import (
    check_update,
    cleared_warnings,
    new_target,
    seal_secrets,
)
from ibs_notify.config.validate_target import default_port, fill_defaults
from ibs_notify.config.validate_templates import check_group_bodies
from ibs_notify.config.warn_target import target_warnings
from ibs_notify.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotificationError,
    Reason,
    Unavailable,
)
from ibs_notify.domain.target import WEBHOOK_FORMER_SIGNING_SECRET, WEBHOOK_SIGNING_SECRET
from ibs_notify.rpc.convert_config import settings_from_proto, target_from_proto
from ibs_notify.secrets.keys import Keys
from ironcore.notification.v1.config_service_pb2 import UpdateTargetRequest
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import SMTP_TLS_MODE_STARTTLS, Target


class Targets:
    """Secrets are sealed here, before they are stored."""

    def __init__(self, repository: Repository, delivery: DeliveryPort, keys: Keys) -> None:
        self._repository = repository
        self._delivery = delivery
        self._keys = keys

    async def get(self, name: str) -> Target:
        """``NotFound`` where there is none."""
        return await self._repository.read(lambda view: find_target(view, name))

    async def page(self, after: str, limit: int) -> list[Target]:
        """At most ``limit`` targets by name, those after ``after``."""
        return await self._repository.read(lambda view: view.targets(after, limit))

    async def create(self, request: Target, author: str) -> Saved[Target]:
        """``AlreadyExists`` where the name is taken, ``InvalidArgument`` naming every fault."""

        def work(change: Change) -> Saved[Target]:
            update = new_target(request)
            verdict = check_update(None, update, frozenset())
            name = update.target.name
            if change.target(name) is not None:
                raise AlreadyExists(
                    Reason.TARGET_EXISTS,
                    f"there is a target {name!r} already",
                    advice="choose another name, or update it",
                )
            return self._save(change, update, verdict)

        return await self._repository.change(author, work)

    async def update(self, asked: UpdateTargetRequest, author: str, now: datetime) -> Saved[Target]:
        """``FailedPrecondition`` (SECRET_REQUIRED) where a secret would have to follow a move."""
        request, mask = asked.target, asked.update_mask
        overlap = asked.signing_overlap if asked.HasField("signing_overlap") else None

        def work(change: Change) -> Saved[Target]:
            stored = find_target(change, request.name)
            require_etag(request.etag, stored, f"target {stored.name!r}")
            faults = Faults()
            update = update_target(stored, request, mask, asked.remove_headers, faults)
            update = rotate(stored, update, overlap, now, faults)
            faults.raise_any()
            if overlap is not None:
                update = self._keep_former(change, update)
            notes = _follow_tls_mode(stored, update.target, mask)
            fill_defaults(update.target)
            verdict = check_update(stored, update, change.sealed(stored.uid).keys())
            _check_groups(change, update.target)
            return self._save(change, update, verdict, notes)

        return await self._repository.change(author, work)

    async def delete(self, name: str, etag: str, author: str, *, force: bool) -> Saved[int]:
        """Returns the revision. Delivery is asked first; ``force`` goes on whatever it says."""

        def look(view: View) -> Target:
            found = find_target(view, name)
            require_etag(etag, found, f"target {name!r}")
            _users(view, name, force=force)
            return found

        target = await self._repository.read(look)
        warnings = await self._look_at_queue(target, force=force)

        def work(change: Change) -> Saved[int]:
            found = find_target(change, name)
            require_etag(etag, found, f"target {name!r}")
            taken_out = [
                _take_out(change, each, name) for each in _users(change, name, force=force)
            ]
            change.delete_target(found)
            return Saved(change.revision, (*taken_out, *warnings))

        return await self._repository.change(author, work)

    def _save(
        self, change: Change, update: TargetUpdate, verdict: Verdict, notes: Sequence[str] = ()
    ) -> Saved[Target]:
        stored = change.sealed(update.target.uid)
        sealed = {field: stored[field] for field in verdict.kept}
        if update.given:
            ring = keyring_to_seal(change, self._keys)
            sealed |= seal_secrets(ring, update.target.uid, update.given)
        target = change.put_target(update.target, sealed)
        oddities = target_warnings(
            target_from_proto(target), settings_from_proto(change.settings()), sealed.keys()
        )
        return Saved(target, (*notes, *cleared_warnings(verdict), *oddities))

    def _keep_former(self, change: Change, update: TargetUpdate) -> TargetUpdate:
        """The stored signing secret as the former one; it is sealed for one field, so anew."""
        uid = update.target.uid
        ciphertext = change.sealed(uid)[WEBHOOK_SIGNING_SECRET]
        ring = self._keys.current
        secret = ring.open(ciphertext, target_uid=uid, field=WEBHOOK_SIGNING_SECRET)
        return replace(update, given={**update.given, WEBHOOK_FORMER_SIGNING_SECRET: secret})

    async def _look_at_queue(self, target: Target, *, force: bool) -> list[str]:
        try:
            waiting = await self._delivery.open_count(target.uid)
        except NotificationError as error:
            if force:
                return [
                    f"Delivery could not be asked ({error.message}); deliveries that wait for "
                    f"{target.name!r} are cancelled when it hears of this"
                ]
            raise Unavailable(
                Reason.SERVICE_UNREACHABLE,
                f"Delivery cannot say whether deliveries wait for {target.name!r}: {error.message}",
                advice="try again when Delivery runs, or delete it with --force",
            ) from error
        if waiting and not force:
            raise FailedPrecondition(
                Reason.TARGET_HAS_QUEUE,
                f"target {target.name!r} has {_open_deliveries(waiting)}",
                advice="wait or cancel them, or delete it with --force, which cancels them visibly",
            )
        return [f"cancelled with it: {_open_deliveries(waiting)}"] if waiting else []


def _check_groups(view: View, target: Target) -> None:
    """``InvalidArgument`` where the body of a group that holds ``target`` does not suit it any
    more, such as one in JSON after a change of the content type."""
    if target.WhichOneof("kind") != "webhook":
        return
    faults = Faults()
    for group in view.groups():
        if any(each.target == target.name for each in group.subscriptions):
            check_group_bodies(group, {target.name: target}, faults)
    faults.raise_any()


def _users(view: View, target: str, *, force: bool) -> list[Group]:
    """The groups that hold a target; unless forced there may be none."""
    users = [
        group
        for group in view.groups()
        if any(subscription.target == target for subscription in group.subscriptions)
    ]
    if users and not force:
        names = ", ".join(repr(group.name) for group in users)
        raise FailedPrecondition(
            Reason.TARGET_IN_USE,
            f"target {target!r} is in use by group {names}",
            advice="take it out of them first, or delete it with --force, which does that",
        )
    return users


def _take_out(change: Change, group: Group, target: str) -> str:
    left = [each for each in group.subscriptions if each.target != target]
    del group.subscriptions[:]
    group.subscriptions.extend(left)
    change.put_group(group)
    rest = "" if left else ", which has no target any more"
    return f"{target!r} was taken out of group {group.name!r}{rest}"


def _follow_tls_mode(stored: Target, target: Target, mask: FieldMask) -> list[str]:
    """Where only the TLS mode changes and the port was that mode's default, it stays a default."""
    if target.WhichOneof("kind") != "smtp" or {"smtp", "smtp.port"} & set(mask.paths):
        return []
    port = default_port(target.smtp.tls_mode or SMTP_TLS_MODE_STARTTLS)
    before = stored.smtp.port
    if before != default_port(stored.smtp.tls_mode) or before == port:
        return []
    target.smtp.port = port
    return [f"the port is {port} now, the default of the new TLS mode; before it was {before}"]


def _open_deliveries(count: int) -> str:
    return "1 open delivery" if count == 1 else f"{count:,} open deliveries"
