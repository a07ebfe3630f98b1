"""Templates that are tried before they are saved. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.preset import NEEDS
from ibs_notify.domain.target import SmtpSpec, Target, WebhookSpec
from ibs_notify.domain.templates import NO_TEMPLATE_SET, Templates, TemplateSet
from ibs_notify.templates.check import MAIL_PARTS, check_body, check_mail_part


@dataclass(frozen=True, slots=True)
class Draft:
    """Templates of a group or a target, which go before those that it has.

    ``replaces``: they are all that it has, and what is empty here is removed.
    """

    templates: TemplateSet = NO_TEMPLATE_SET
    replaces: bool = False

    def instead_of(self, saved: TemplateSet) -> TemplateSet:
        """What it would have with the draft."""
        return self.templates if self.replaces else self.templates.before(saved)

    def of_target(self, target: Target) -> Target:
        """The target, as if the draft were of its own templates."""
        match target.spec:
            case SmtpSpec() as mail:
                spec = replace(mail, templates=self.instead_of(mail.templates))
                return replace(target, spec=spec)
            case WebhookSpec() as webhook:
                return replace(target, spec=self._of_webhook(webhook))
            case _:
                return target

    def _of_webhook(self, spec: WebhookSpec) -> WebhookSpec:
        event, digest = (
            Templates(body=spec.body_template),
            Templates(body=spec.digest_body_template),
        )
        own = self.instead_of(TemplateSet(event, digest))
        return replace(spec, body_template=own.event.body, digest_body_template=own.digest.body)

    def check(self, target: Target, *, of_group: bool) -> None:
        """Raises InvalidArgument with all faults of the draft, as they would be found when it is
        saved. Its bodies are checked for ``target``, where that takes them."""
        faults = [*self._mail_faults(), *self._body_faults(target, of_group=of_group)]
        if not faults:
            return
        reasons = {reason for _, reason in faults}
        reason = reasons.pop() if len(reasons) == 1 else Reason.FIELD_INVALID
        raise InvalidArgument.of([violation for violation, _ in faults], reason)

    def _mail_faults(self) -> Iterator[tuple[FieldViolation, Reason]]:
        for prefix, templates in self._families():
            for part in MAIL_PARTS:
                try:
                    check_mail_part(part, getattr(templates, part))
                except InvalidArgument as error:
                    yield _fault(f"{prefix}{part}", error)

    def _body_faults(
        self, target: Target, *, of_group: bool
    ) -> Iterator[tuple[FieldViolation, Reason]]:
        spec = target.spec
        if not isinstance(spec, WebhookSpec) or (of_group and spec.preset is not None):
            return
        content_type = spec.content_type
        if spec.preset is not None:
            content_type = NEEDS[spec.preset].content_type
        own_needed = self.replaces and not of_group and spec.preset is None
        for prefix, templates in self._families():
            field = f"{prefix}body"
            if not templates.body and not (own_needed and field == "body"):
                continue
            try:
                check_body(templates.body, content_type, field)
            except InvalidArgument as error:
                yield _fault(field, error)

    def _families(self) -> tuple[tuple[str, Templates], tuple[str, Templates]]:
        return ("", self.templates.event), ("digest_", self.templates.digest)


NO_DRAFT = Draft()


def _fault(field: str, error: InvalidArgument) -> tuple[FieldViolation, Reason]:
    said = error.violations[0].description if error.violations else error.message
    return FieldViolation(f"draft.{field}", said), error.reason
