"""Whether templates may be saved: each fault with its field, line and column. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ibs_notify.config.faults import Faults
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.templates.check import MAIL_PARTS, check_body, check_mail_part
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target, WebhookTarget


def check_mail_templates(smtp: SmtpTarget, faults: Faults, path: str) -> None:
    """Add the faults of a mail target's own templates."""
    for prefix in ("", "digest_"):
        for part in MAIL_PARTS:
            field = f"{prefix}{part}_template"
            _check_mail(part, getattr(smtp, field), faults, f"{path}.{field}")


def check_webhook_templates(webhook: WebhookTarget, faults: Faults, path: str) -> None:
    """Add the faults of a webhook's own templates, and of a content type that needs some."""
    if webhook.body_template or not webhook.preset:
        _check_body(webhook.body_template, webhook.content_type, faults, path, "body_template")
    if webhook.digest_body_template:
        text = webhook.digest_body_template
        _check_body(text, webhook.content_type, faults, path, "digest_body_template")


def check_group_templates(templates: GroupTemplates, faults: Faults) -> None:
    """Add the faults of a group's templates for mail; bodies are checked by ``check_group_bodies``,
    as it depends on a target what is right."""
    for prefix in ("", "digest_"):
        for part in MAIL_PARTS:
            field = f"{prefix}{part}"
            _check_mail(part, getattr(templates, field), faults, f"group.templates.{field}")


def check_group_bodies(group: Group, targets: Mapping[str, Target], faults: Faults) -> None:
    """Add the faults of a group's bodies for the webhooks among its targets, but for those with a
    preset, which have none of them. Without any webhook they are taken for JSON."""
    types = {
        webhook.content_type
        for each in group.subscriptions
        if (target := targets.get(each.target)) is not None
        and target.WhichOneof("kind") == "webhook"
        and not (webhook := target.webhook).preset
    }
    for field in ("body", "digest_body"):
        text = getattr(group.templates, field)
        if not text:
            continue
        for content_type in sorted(types) or ["application/json"]:
            _check_body(text, content_type, faults, "group.templates", field)


def _check_mail(part: str, text: str, faults: Faults, path: str) -> None:
    try:
        check_mail_part(part, text)
    except InvalidArgument as error:
        faults.adopt(path, error)


def _check_body(text: str, content_type: str, faults: Faults, path: str, field: str) -> None:
    try:
        check_body(text, content_type, field)
    except InvalidArgument as error:
        where = error.violations[0].path if error.violations else field
        faults.adopt(f"{path}.{where}", error)
