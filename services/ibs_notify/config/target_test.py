"""The use case of a test: one real attempt with a saved target or with a draft."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
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
from ironcore.notification.v1.target_pb2 import SealedSecret, Target, TestProgress

UNNAMED = "draft"
"""What a draft without a name is called in its test."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tested, a saved target by its name or a draft, and who receives it."""

    subject: str | Target
    recipients: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Subject:
    target: Target
    sealed: Mapping[str, bytes]
    default_recipients: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What Delivery is to do."""

    target: Target
    secrets: Sequence[SealedSecret]
    recipients: Sequence[str]


class TargetTests:
    """Config resolves target, secrets and recipients; Delivery makes the attempt."""

    def __init__(self, repository: Repository, delivery: DeliveryPort, keys: Keys) -> None:
        self._repository = repository
        self._delivery = delivery
        self._keys = keys

    async def run(self, asked: Asked, author: str) -> TestResult:
        """Make the attempt and say how it ended."""
        attempt = await self._written_down(asked, author)
        return await self._delivery.test_target(attempt.target, attempt.secrets, attempt.recipients)

    async def follow(self, asked: Asked, author: str) -> AsyncGenerator[TestProgress]:
        """Make the same attempt, told as it goes; ``aclose`` ends it."""
        attempt = await self._written_down(asked, author)
        following = self._delivery.stream_target_test(
            attempt.target, attempt.secrets, attempt.recipients
        )
        async with aclosing(following) as news:
            async for each in news:
                yield each

    async def _written_down(self, asked: Asked, author: str) -> _Attempt:
        """Before it is sent: what is not written down does not happen."""
        subject, version = await self._find(asked.subject)
        recipients = _recipients(subject, asked.recipients)
        act = _act(subject, recipients, version)
        await self._repository.change(author, lambda change: change.audit(act))
        secrets = [
            SealedSecret(field=field, ciphertext=ciphertext)
            for field, ciphertext in sorted(subject.sealed.items())
        ]
        return _Attempt(subject.target, secrets, recipients)

    async def _find(self, asked: str | Target) -> tuple[_Subject, str]:
        """The subject, and which version of it that is."""
        if isinstance(asked, Target):
            return await self._repository.read(lambda view: self._resolve(view, asked)), "draft"
        return await self._repository.read(lambda view: _saved(view, asked)), "saved"

    def _resolve(self, view: View, request: Target) -> _Subject:
        """Stored secrets are used only where they were stored for."""
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


def _saved(view: View, name: str) -> _Subject:
    target = find_target(view, name)
    return _Subject(target, view.sealed(target.uid), view.settings().default_recipients)


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
