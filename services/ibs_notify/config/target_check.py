"""Whether a target may become what a request asks for, secrets included. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from uuid import uuid4

from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import TargetUpdate
from ibs_notify.config.secret_fields import take_secrets
from ibs_notify.config.secrets_policy import Verdict, judge
from ibs_notify.config.validate_target import check_target, fill_defaults
from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.domain.target import WEBHOOK_SIGNING_SECRET, TargetSpec
from ibs_notify.rpc.convert_config import target_from_proto
from ibs_notify.secrets.envelope import Keyring
from ironcore.notification.v1.target_pb2 import Target


def new_target(request: Target) -> TargetUpdate:
    """A request for a new target: defaults filled, a uid assigned, its secrets apart."""
    target = Target()
    target.CopyFrom(request)
    given = take_secrets(target)
    target.uid = uuid4().hex
    target.revision = 0
    target.etag = target.created_by = target.updated_by = ""
    target.ClearField("create_time")
    target.ClearField("update_time")
    if target.WhichOneof("kind") == "webhook":
        target.webhook.ClearField("former_signing_secret_expire_time")
    fill_defaults(target)
    return TargetUpdate(target, given)


def check_update(
    stored: Target | None, update: TargetUpdate, stored_secrets: Set[str], root: str = "target"
) -> Verdict:
    """What becomes of the secrets when ``stored`` turns into ``update``.

    Raises ``InvalidArgument`` naming every fault, with ``root`` beginning each path, or
    ``FailedPrecondition`` where a stored secret would have to follow the target elsewhere.
    """
    faults = Faults()
    check_target(update.target, update.given, faults, root)
    new = _spec(update.target)
    if new is None:
        faults.raise_any()
        raise AssertionError("a target without a kind has a fault")
    # What is malformed goes nowhere, so then nothing is said about a move.
    old = _spec(stored) if stored is not None and not faults else None
    verdict = judge(
        old,
        new,
        stored=stored_secrets,
        given=update.given.keys(),
        withdrawn=update.withdrawn,
    )
    for field in sorted(verdict.missing):
        faults.add(f"{root}.{field}", "is missing", reason=Reason.SECRET_REQUIRED)
    if verdict.moved and faults.only_reason is Reason.SECRET_REQUIRED:
        raise _must_be_given_again(verdict)
    faults.raise_any()
    return verdict


def seal_secrets(keyring: Keyring, uid: str, secrets: Mapping[str, str]) -> dict[str, bytes]:
    """Secrets as they are stored, and sent to Delivery, by field."""
    return {
        field: keyring.seal(secret, target_uid=uid, field=field)
        for field, secret in secrets.items()
    }


def cleared_warnings(verdict: Verdict) -> list[str]:
    """Says which stored secrets are gone, and why."""
    why = f"{' and '.join(verdict.moved)} changed" if verdict.moved else "it is no longer used"
    return [f"the stored {field} was cleared: {why}" for field in sorted(verdict.cleared)]


def _spec(target: Target) -> TargetSpec | None:
    try:
        return target_from_proto(target).spec
    except (KeyError, ValueError):
        # No kind, or an enum's number that this release does not know: the faults say so.
        return None


def _must_be_given_again(verdict: Verdict) -> FailedPrecondition:
    missing = " and ".join(sorted(verdict.missing))
    advice = f"give {missing} in the same request"
    if any(field.startswith("webhook.headers") for field in verdict.missing):
        advice += ", or remove those headers"
    if WEBHOOK_SIGNING_SECRET in verdict.missing:
        advice += ", or empty the signing secret to sign no more"
    return FailedPrecondition(
        Reason.SECRET_REQUIRED,
        f"{' and '.join(verdict.moved)} changed, and a stored secret never follows a target to "
        f"another place: {missing} must be given again",
        advice=advice,
    )
