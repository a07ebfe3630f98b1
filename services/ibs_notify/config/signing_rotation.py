"""How a webhook's signing secret is replaced: at once, or with an overlap. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration

from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import TargetUpdate
from ibs_notify.domain.target import WEBHOOK_FORMER_SIGNING_SECRET, WEBHOOK_SIGNING_SECRET
from ironcore.notification.v1.target_pb2 import Target

MAX_OVERLAP: Final = timedelta(days=7)


def rotate(
    stored: Target, update: TargetUpdate, overlap: Duration | None, now: datetime, faults: Faults
) -> TargetUpdate:
    """The update with what becomes of the former secret.

    With an ``overlap`` the caller has to give the stored secret as the former one. Without, a new
    secret and a removal drop it at once, and so does any change once its time is over.
    """
    if stored.WhichOneof("kind") != "webhook":
        if overlap is not None:
            faults.add("signing_overlap", f"{stored.name!r} is no webhook")
        return update
    if overlap is not None:
        return _overlapping(stored, update, overlap, now, faults)
    webhook = update.target.webhook
    replaced = {WEBHOOK_SIGNING_SECRET} & (update.given.keys() | update.withdrawn)
    if replaced or (_has_former(stored) and _until(stored) <= now):
        webhook.ClearField("former_signing_secret_expire_time")
        return replace(update, withdrawn=update.withdrawn | {WEBHOOK_FORMER_SIGNING_SECRET})
    return update


def _overlapping(
    stored: Target, update: TargetUpdate, overlap: Duration, now: datetime, faults: Faults
) -> TargetUpdate:
    span = timedelta(seconds=overlap.seconds) if abs(overlap.seconds) < 10**9 else -MAX_OVERLAP
    if not timedelta(0) < span <= MAX_OVERLAP:
        faults.add("signing_overlap", "is not between 1 second and 7 days")
    elif WEBHOOK_SIGNING_SECRET not in update.given:
        faults.add("signing_overlap", "is given without a new webhook.signing_secret")
    elif not stored.webhook.signing_secret_set:
        faults.add("signing_overlap", "is given, but there is no former signing secret")
    elif stored.webhook.url != update.target.webhook.url:
        faults.add("signing_overlap", "does not go with a change of the URL")
    else:
        update.target.webhook.former_signing_secret_expire_time.FromDatetime(now + span)
    return update


def _has_former(target: Target) -> bool:
    return target.webhook.HasField("former_signing_secret_expire_time")


def _until(target: Target) -> datetime:
    return target.webhook.former_signing_secret_expire_time.ToDatetime(UTC)
