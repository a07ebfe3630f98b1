"""The use case of a test: one real attempt with a saved target or with a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ibs_notify.audit.document import written
from ibs_notify.audit.entry import Act
from ibs_notify.config.audited import target_document
from ibs_notify.config.checks import find_target
from ibs_notify.config.faults import Faults
from ibs_notify.config.ports import DeliveryPort, Repository, TestResult, View
from ibs_notify.config.target_check import check_update, new_target, seal_secrets
from ibs_notify.config.validate_target import check_recipients
from ibs_notify.domain.errors import FailedPrecondition, Reason
from ibs_notify.domain.naming import is_name
from ibs_notify.secrets.keys import Keys
from ironcore.notification.v1.target_pb2 import SealedSecret, Target

UNNAMED = "draft"
"""What a draft without a name is called in its test."""


@dataclass(frozen=True, slots=True)
class _Subject:
    target: Target
    sealed: Mapping[str, bytes]
    default_recipients: Sequence[str]


class TargetTests:
    """Config resolves target, secrets and recipients; Delivery makes the attempt."""

    def __init__(self, repository: Repository, delivery: DeliveryPort, keys: Keys) -> None:
        self._repository = repository
        self._delivery = delivery
        self._keys = keys

    async def saved(self, name: str, recipients: Sequence[str], author: str) -> TestResult:
        """Test what is stored under a name."""

        def look(view: View) -> _Subject:
            target = find_target(view, name)
            return _Subject(target, view.sealed(target.uid), view.settings().default_recipients)

        subject = await self._repository.read(look)
        return await self._run(subject, recipients, author, "saved")

    async def draft(self, request: Target, recipients: Sequence[str], author: str) -> TestResult:
        """Test what is not saved; stored secrets are used only where they were stored for."""
        subject = await self._repository.read(lambda view: self._resolve(view, request))
        return await self._run(subject, recipients, author, "draft")

    def _resolve(self, view: View, request: Target) -> _Subject:
        update = new_target(request)
        draft = update.target
        saved = view.target(draft.name) if is_name(draft.name) else None
        draft.name = draft.name or UNNAMED
        if saved is not None and saved.WhichOneof("kind") != draft.WhichOneof("kind"):
            saved = None
        stored = view.sealed(saved.uid) if saved is not None else {}
        verdict = check_update(saved, update, stored.keys(), root="draft")
        if saved is not None:
            # A stored secret opens for the uid that it was sealed for, and for no other.
            draft.uid = saved.uid
        sealed = {field: stored[field] for field in verdict.kept}
        if update.given:
            sealed |= seal_secrets(self._keys.current, draft.uid, update.given)
        return _Subject(draft, sealed, view.settings().default_recipients)

    async def _run(
        self, subject: _Subject, recipients: Sequence[str], author: str, version: str
    ) -> TestResult:
        recipients = _recipients(subject, recipients)
        act = _act(subject, recipients, version)
        # Before it is sent: what is not written down does not happen.
        await self._repository.change(author, lambda change: change.audit(act))
        return await self._delivery.test_target(
            subject.target,
            [
                SealedSecret(field=field, ciphertext=ciphertext)
                for field, ciphertext in sorted(subject.sealed.items())
            ],
            recipients,
        )


def _act(subject: _Subject, recipients: Sequence[str], version: str) -> Act:
    target = subject.target
    document = {version: target_document(target, subject.sealed), "recipients": [*recipients]}
    return Act("target.test", f"target/{target.name}", after=written(document))


def _recipients(subject: _Subject, requested: Sequence[str]) -> Sequence[str]:
    """Who receives the test: the request's, else the target's, else the setting's."""
    target = subject.target
    faults = Faults()
    check_recipients(requested, faults, "recipients")
    if target.WhichOneof("kind") != "smtp":
        if requested:
            faults.add("recipients", f"are for mail targets, and {target.name!r} is none")
        faults.raise_any()
        return ()
    faults.raise_any()
    recipients = requested or target.smtp.recipients or subject.default_recipients
    if not recipients:
        raise FailedPrecondition(
            Reason.RECIPIENT_REQUIRED,
            f"nobody is configured to receive a test of {target.name!r}",
            advice="give a recipient, or set the target's recipients or default_recipients",
        )
    return recipients
