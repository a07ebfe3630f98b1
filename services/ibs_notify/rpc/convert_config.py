"""Targets, groups and settings between protobuf and the domain. Secrets stay behind."""

from __future__ import annotations

from typing import assert_never

from ibs_notify.domain import group as groups
from ibs_notify.domain import target as targets
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.templates import Templates, TemplateSet
from ibs_notify.rpc.convert import is_moment, moment_from_proto
from ironcore.notification.v1 import group_pb2, settings_pb2, target_pb2

_AUTH = {
    target_pb2.SMTP_AUTH_METHOD_NONE: targets.SmtpAuth.NONE,
    target_pb2.SMTP_AUTH_METHOD_PLAIN: targets.SmtpAuth.PLAIN,
    target_pb2.SMTP_AUTH_METHOD_LOGIN: targets.SmtpAuth.LOGIN,
}
_TLS = {
    target_pb2.SMTP_TLS_MODE_UNSPECIFIED: targets.TlsMode.STARTTLS,
    target_pb2.SMTP_TLS_MODE_STARTTLS: targets.TlsMode.STARTTLS,
    target_pb2.SMTP_TLS_MODE_IMPLICIT: targets.TlsMode.IMPLICIT,
    target_pb2.SMTP_TLS_MODE_NONE: targets.TlsMode.NONE,
}
_PRESETS = {target_pb2.WebhookPreset.Value(f"WEBHOOK_PRESET_{each.name}"): each for each in Preset}
_SCOPES = {
    group_pb2.GROUP_SCOPE_UNSPECIFIED: groups.Scope.EVERYTHING,
    group_pb2.GROUP_SCOPE_EVERYTHING: groups.Scope.EVERYTHING,
    group_pb2.GROUP_SCOPE_ATTACHED: groups.Scope.ATTACHED,
    group_pb2.GROUP_SCOPE_SELECTED: groups.Scope.SELECTED,
}
_FREQUENCIES = {
    group_pb2.DIGEST_FREQUENCY_UNSPECIFIED: groups.Frequency.DAILY,
    group_pb2.DIGEST_FREQUENCY_HOURLY: groups.Frequency.HOURLY,
    group_pb2.DIGEST_FREQUENCY_DAILY: groups.Frequency.DAILY,
    group_pb2.DIGEST_FREQUENCY_WEEKLY: groups.Frequency.WEEKLY,
}


def target_from_proto(message: target_pb2.Target) -> targets.Target:
    """The target of a message that Config has validated; ``ValueError`` on an unknown kind."""
    return targets.Target(
        name=message.name,
        uid=message.uid,
        spec=_spec(message),
        description=message.description,
        disabled=message.disabled,
        max_rate=message.max_rate_per_minute,
        revision=message.revision,
    )


def _spec(message: target_pb2.Target) -> targets.TargetSpec:
    match message.WhichOneof("kind"):
        case "smtp":
            return _smtp(message.smtp)
        case "webhook":
            return _webhook(message.name, message.webhook)
        case "influxdb":
            influx = message.influxdb
            return targets.InfluxDbSpec(influx.url, influx.org, influx.bucket, influx.ca_pem)
        case "pushgateway":
            gateway = message.pushgateway
            return targets.PushgatewaySpec(
                gateway.url, gateway.job or "ibs-notifications", gateway.username, gateway.ca_pem
            )
        case None:
            raise ValueError(
                f"target {message.name!r} is of a kind that this release does not know"
            )
        case _ as unreachable:
            assert_never(unreachable)


def _smtp(smtp: target_pb2.SmtpTarget) -> targets.SmtpSpec:
    tls = _TLS.get(smtp.tls_mode)
    if tls is None:
        raise ValueError(f"mail server {smtp.server!r}: a TLS mode that this release does not know")
    implied = targets.SmtpAuth.PLAIN if smtp.username else targets.SmtpAuth.NONE
    return targets.SmtpSpec(
        server=smtp.server,
        port=smtp.port or tls.default_port,
        tls_mode=tls,
        auth=_AUTH.get(smtp.auth_method, implied),
        username=smtp.username,
        from_address=smtp.from_address,
        recipients=tuple(smtp.recipients),
        ca_pem=smtp.ca_pem,
        templates=TemplateSet(
            Templates(smtp.subject_template, smtp.text_template, smtp.html_template),
            Templates(
                smtp.digest_subject_template, smtp.digest_text_template, smtp.digest_html_template
            ),
        ),
    )


def _webhook(name: str, webhook: target_pb2.WebhookTarget) -> targets.WebhookSpec:
    preset = _PRESETS.get(webhook.preset)
    if webhook.preset and preset is None:
        # Not by its address, which may hold a token: this is logged.
        raise ValueError(f"target {name!r} has a preset that this release does not know")
    until = webhook.former_signing_secret_expire_time
    if not is_moment(until):
        raise ValueError(f"target {name!r}: its former signing secret ends at no moment")
    return targets.WebhookSpec(
        url=webhook.url,
        method=webhook.method or "POST",
        headers=tuple(header.name for header in webhook.headers),
        body_template=webhook.body_template,
        content_type=webhook.content_type or "application/json",
        ca_pem=webhook.ca_pem,
        digest_body_template=webhook.digest_body_template,
        preset=preset,
        account=webhook.account,
        sender=webhook.sender,
        recipient=webhook.recipient,
        former_signing_until=moment_from_proto(until)
        if webhook.HasField("former_signing_secret_expire_time")
        else None,
    )


def group_from_proto(message: group_pb2.Group) -> groups.Group:
    """The group of a message that Config has validated; unset fields have their defaults.

    So have values of a later release: a missed alert is worse than an extra one.
    """
    window = groups.DEFAULT_DEDUP_WINDOW
    if message.HasField("dedup_window"):
        window = message.dedup_window.ToTimedelta()
    limit = groups.DEFAULT_RATE_LIMIT
    if message.HasField("rate_limit_per_minute"):
        limit = message.rate_limit_per_minute
    return groups.Group(
        name=message.name,
        uid=message.uid,
        description=message.description,
        scope=scope_from_proto(message.scope),
        attachments=tuple(message.attachments),
        subscriptions=tuple(
            groups.Subscription(each.uid, each.target, each.rule, tuple(each.recipients))
            for each in message.subscriptions
        ),
        rate_limit=limit,
        dedup_window=window,
        digest=_digest(message.digest) if message.HasField("digest") else None,
        weekly_summary=message.weekly_summary,
        revision=message.revision,
        templates=templates_from_proto(message.templates),
    )


def scope_from_proto(scope: group_pb2.GroupScope.ValueType) -> groups.Scope:
    """What a group hears of; one of a later release is everything."""
    return _SCOPES.get(scope, groups.Scope.EVERYTHING)


def templates_from_proto(given: group_pb2.GroupTemplates) -> TemplateSet:
    """The templates of a group; no message, none."""
    return TemplateSet(
        Templates(given.subject, given.text, given.html, given.body),
        Templates(given.digest_subject, given.digest_text, given.digest_html, given.digest_body),
    )


def _digest(digest: group_pb2.Digest) -> groups.Digest:
    return groups.Digest(
        rule=digest.rule,
        frequency=_FREQUENCIES.get(digest.frequency, groups.Frequency.DAILY),
        time=digest.time or "09:00",
        weekday=groups.WEEKDAYS[digest.weekday - 1 if 1 <= digest.weekday <= 7 else 0],
        time_zone=digest.time_zone,
        send_empty=digest.send_empty,
    )


def settings_from_proto(message: settings_pb2.Settings) -> groups.InstallationSettings:
    """The installation's settings; an empty time zone is UTC."""
    return groups.InstallationSettings(
        default_recipients=tuple(message.default_recipients),
        public_url=message.public_url,
        time_zone=message.time_zone or "UTC",
        sender=message.sender,
    )
