"""Targets as people see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from google.protobuf.message import Message

from ibs_notify.cli.output import Table, moment, print_fields, print_table, word
from ibs_notify.cli.template_flags import PARTS
from ibs_notify.domain.harmless import harmless
from ironcore.notification.v1 import config_service_pb2, delivery_service_pb2, target_pb2

Troubles = Mapping[str, delivery_service_pb2.TroubledTarget]
"""The targets in trouble, by uid."""


def show_targets(targets: Sequence[target_pb2.Target], troubles: Troubles | None) -> None:
    """A row for each. ``troubles`` is ``None`` where nobody could say."""
    print_table(
        Table(
            ("Name", "Type", "Where", "State", "Health", "Max rate", "Description"),
            [
                (
                    each.name,
                    _type(each),
                    _where(each),
                    "disabled" if each.disabled else "enabled",
                    _health_in_list(each.uid, troubles),
                    _rate(each),
                    each.description,
                )
                for each in targets
            ],
            empty="no targets yet: ironcore-backup notification target create --help",
        )
    )


def show_target(target: target_pb2.Target) -> None:
    """Every field of one, and whether its secrets are set."""
    print_fields(
        {
            "Name": target.name,
            "Type": _type(target),
            "Description": target.description,
            "State": "disabled" if target.disabled else "enabled",
            "Max rate": _rate(target),
            **_specific(target),
            "Created": f"{moment(target.create_time)} by {target.created_by}",
            "Updated": f"{moment(target.update_time)} by {target.updated_by}",
            "Revision": str(target.revision),
        }
    )


def show_status(status: delivery_service_pb2.GetTargetStatusResponse) -> None:
    """How it fares."""
    failure = moment(status.last_failure_time)
    click.echo()
    print_fields(
        {
            "Health": _health(status),
            "Deliveries": f"{status.open_count} open, {status.delivered_count} delivered, "
            f"{status.dead_count} dead",
            "Last success": moment(status.last_success_time) or "never",
            "Last failure": f"{failure} {status.last_failure}" if failure else "never",
            "Last code": str(status.last_code or ""),
            "Certificate": _certificate(status),
        }
    )


def _health(status: delivery_service_pb2.GetTargetStatusResponse) -> str:
    since = moment(status.trouble_since or status.paused_time)
    trouble = f"{status.trouble_reason} since {since}"
    match status.health:
        case delivery_service_pb2.TARGET_HEALTH_PAUSED:
            return f"paused: {trouble}; target resume sends to it again"
        case delivery_service_pb2.TARGET_HEALTH_FAILING:
            return f"failing: {trouble}; {_next_probe(status)}"
        case delivery_service_pb2.TARGET_HEALTH_RECOVERING:
            return "recovering: it is given a few deliveries at a time, then more"
        case _ if status.HasField("failing_since"):
            return f"ok so far, but every attempt since {moment(status.failing_since)} failed"
        case _:
            return "ok"


def _next_probe(status: delivery_service_pb2.GetTargetStatusResponse) -> str:
    """When one delivery is tried, of those that wait."""
    if not status.HasField("probe_time"):
        return "one delivery is being tried"
    return f"one delivery is tried at {moment(status.probe_time)}, or now with target resume"


def _certificate(status: delivery_service_pb2.GetTargetStatusResponse) -> str:
    until = moment(status.certificate_expire_time)
    return f"expires {until}" if until else ""


def _health_in_list(uid: str, troubles: Troubles | None) -> str:
    if troubles is None:
        return "?"
    trouble = troubles.get(uid)
    if trouble is None:
        return "ok"
    return word(delivery_service_pb2.TargetHealth, trouble.health, "TARGET_HEALTH_")


def resumed_line(
    name: str, before: delivery_service_pb2.GetTargetStatusResponse, waited: int
) -> str:
    """What became of a target that was paused or failed, and of what had waited for it."""
    if before.health == delivery_service_pb2.TARGET_HEALTH_FAILING:
        return f"target {name} is tried again now; target show tells how it went"
    if not before.paused_reason:
        return f"target {name} was not paused"
    if not waited:
        return f"resumed target {name}; nothing had waited for it"
    things = "1 delivery that had waited" if waited == 1 else f"{waited:,} that had waited"
    return f"resumed target {name}; sent now: {things}"


def show_test(answer: config_service_pb2.ConfigServiceTestTargetResponse) -> None:
    """The stages with their times, then the result in a sentence."""
    print_table(
        Table(
            ("", "Stage", "Time", "Result"),
            [
                (
                    "✓" if stage.ok else "✗",
                    stage.name,
                    f"{stage.duration_ms:,.1f} ms",
                    stage.detail,
                )
                for stage in answer.stages
            ],
            empty="no stage was reached",
        )
    )
    click.echo(f"{'ok' if answer.ok else 'failed'}: {harmless(answer.summary)}")


def _type(target: target_pb2.Target) -> str:
    kind = target.WhichOneof("kind")
    if kind == "webhook" and target.webhook.preset:
        return f"webhook ({_preset(target.webhook)})"
    names = {"influxdb": "influxdb-v2", "pushgateway": "prometheus-pushgateway", None: "unknown"}
    return names.get(kind, kind or "")


def _rate(target: target_pb2.Target) -> str:
    rate = target.max_rate_per_minute
    return f"{rate}/min" if rate else "off"


def _where(target: target_pb2.Target) -> str:
    match target.WhichOneof("kind"):
        case "smtp":
            port = f":{target.smtp.port}" if target.smtp.port else ""
            return f"{target.smtp.server}{port}"
        case "webhook":
            return target.webhook.url
        case "influxdb":
            return target.influxdb.url
        case "pushgateway":
            return target.pushgateway.url
        case _:
            return ""


def _specific(target: target_pb2.Target) -> dict[str, str]:
    match target.WhichOneof("kind"):
        case "smtp":
            smtp = target.smtp
            return {
                "Server": _where(target),
                "From": smtp.from_address or "the setting sender",
                "TLS": word(target_pb2.SmtpTlsMode, smtp.tls_mode, "SMTP_TLS_MODE_") or "starttls",
                "Auth method": word(
                    target_pb2.SmtpAuthMethod, smtp.auth_method, "SMTP_AUTH_METHOD_"
                ),
                "Username": smtp.username,
                "Password": _secret(smtp.password_set),
                "Recipients": ", ".join(smtp.recipients) or "the setting default recipients",
                **own_templates(smtp, "{}_template"),
                "CA certificates": _own_ca(smtp.ca_pem),
            }
        case "webhook":
            hook = target.webhook
            return {
                "URL": hook.url,
                "Token": _secret(hook.token_set) if hook.preset else "",
                "Account": hook.account,
                "From": hook.sender,
                "To": hook.recipient,
                "Method": hook.method or "POST",
                "Headers": ", ".join(
                    f"{each.name} ({_secret(each.value_set)})" for each in hook.headers
                ),
                "Content type": hook.content_type or "application/json",
                "Body template": hook.body_template or _builtin_body(hook),
                "Digest body template": hook.digest_body_template,
                "Signing": _signing(hook),
                "CA certificates": _own_ca(hook.ca_pem),
            }
        case "influxdb":
            influx = target.influxdb
            return {
                "URL": influx.url,
                "Organisation": influx.org,
                "Bucket": influx.bucket,
                "Token": _secret(influx.token_set),
                "CA certificates": _own_ca(influx.ca_pem),
            }
        case "pushgateway":
            gateway = target.pushgateway
            return {
                "URL": gateway.url,
                "Job": gateway.job or "ibs-notifications",
                "Username": gateway.username,
                "Password": _secret(gateway.password_set),
                "Bearer token": _secret(gateway.bearer_token_set),
                "CA certificates": _own_ca(gateway.ca_pem),
            }
        case _:
            return {}


def own_templates(holder: Message, field: str) -> dict[str, str]:
    """Which templates there are, in a line for events and one for digests; ``field`` is how a part
    is called in ``holder``. No line where there are none."""
    lines = {}
    for prefix, label in (("", "Own templates"), ("digest_", "Own digest templates")):
        names = ((part, field.format(f"{prefix}{part}")) for part in PARTS)
        own = [part for part, name in names if getattr(holder, name, "")]
        if own:
            lines[label] = ", ".join(own)
    return lines


def _preset(hook: target_pb2.WebhookTarget) -> str:
    return word(target_pb2.WebhookPreset, hook.preset, "WEBHOOK_PRESET_").replace(" ", "-")


def _builtin_body(hook: target_pb2.WebhookTarget) -> str:
    return "the preset's" if hook.preset else "the standard payload"


def _signing(hook: target_pb2.WebhookTarget) -> str:
    if not hook.signing_secret_set:
        return "off"
    if not hook.HasField("former_signing_secret_expire_time"):
        return "on"
    return f"on; with the former secret too until {moment(hook.former_signing_secret_expire_time)}"


def _secret(is_set: bool) -> str:
    return "set" if is_set else "not set"


def _own_ca(pem: str) -> str:
    return f"{pem.count('BEGIN CERTIFICATE')} of its own" if pem else "the system's"
