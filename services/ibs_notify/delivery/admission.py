"""May a delivery be sent now? The answer is a named reason, which is what people are shown."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ibs_notify.domain.target import SmtpSpec, Target
from ibs_notify.snapshot.model import Snapshot


class Admission(StrEnum):
    """Stored as the reason of a waiting or cancelled delivery: never renamed."""

    SENDABLE = "SENDABLE"
    CONFIG_BEHIND = "CONFIG_BEHIND"
    """It was routed by a revision that this process has not seen yet."""
    TARGET_DELETED = "TARGET_DELETED"
    """Its target is gone: it is cancelled."""
    TARGET_DISABLED = "TARGET_DISABLED"
    """An administrator disabled its target."""
    TARGET_PAUSED = "TARGET_PAUSED"
    """Its target asked for no more, until somebody resumes or changes it."""
    TRANSPORT_NOT_AVAILABLE = "TRANSPORT_NOT_AVAILABLE"
    """This release cannot send to targets of this type, or cannot even read its target."""
    NO_RECIPIENTS = "NO_RECIPIENTS"
    """A mail, and nobody is configured to receive it."""
    SECRET_UNREADABLE = "SECRET_UNREADABLE"
    """A secret of its target cannot be opened. Found out when it is to be sent."""
    SECRET_REQUIRED = "SECRET_REQUIRED"
    """A secret of its target must be given again. Found out when it is to be sent."""
    MISCONFIGURED = "MISCONFIGURED"
    """Its target's settings cannot work. Found out when it is to be sent."""

    @property
    def cancels(self) -> bool:
        """Whether a delivery ends by it; all others but SENDABLE let it wait."""
        match self:
            case Admission.TARGET_DELETED:
                return True
            case (
                Admission.SENDABLE
                | Admission.CONFIG_BEHIND
                | Admission.TARGET_DISABLED
                | Admission.TARGET_PAUSED
                | Admission.TRANSPORT_NOT_AVAILABLE
                | Admission.NO_RECIPIENTS
                | Admission.SECRET_UNREADABLE
                | Admission.SECRET_REQUIRED
                | Admission.MISCONFIGURED
            ):
                return False
            case _:
                assert_never(self)


def admit(
    target: Target | None,
    *,
    revision: int,
    has_recipients: bool,
    snapshot: Snapshot | None,
    paused: bool,
    unreadable: bool = False,
) -> Admission:
    """Decide on a delivery routed by ``revision``, whose target is ``target`` in ``snapshot``.

    ``has_recipients`` says whether the delivery names its own. Without any snapshot yet, this
    process is behind every revision.
    """
    if snapshot is None or revision > snapshot.revision:
        return Admission.CONFIG_BEHIND
    standing = admit_target(target, paused=paused, unreadable=unreadable)
    if standing is not Admission.SENDABLE or target is None:
        return standing
    if needs_recipients(target) and not (has_recipients or default_recipients(target, snapshot)):
        return Admission.NO_RECIPIENTS
    return Admission.SENDABLE


def admit_target(target: Target | None, *, paused: bool, unreadable: bool = False) -> Admission:
    """The part of the decision that holds for all deliveries of a target alike.

    ``unreadable``: there is a target, of a later release, and so ``target`` is ``None``.
    """
    if unreadable:
        return Admission.TRANSPORT_NOT_AVAILABLE
    if target is None:
        return Admission.TARGET_DELETED
    if target.disabled:
        return Admission.TARGET_DISABLED
    if paused:
        return Admission.TARGET_PAUSED
    return Admission.SENDABLE


def needs_recipients(target: Target) -> bool:
    """Whether a message for ``target`` goes to addresses."""
    return isinstance(target.spec, SmtpSpec)


def default_recipients(target: Target, snapshot: Snapshot) -> tuple[str, ...]:
    """Who receives a mail that names nobody: the target's, else the setting's."""
    if isinstance(target.spec, SmtpSpec):
        return target.spec.recipients or snapshot.settings.default_recipients
    return ()
