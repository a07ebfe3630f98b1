"""From a form to the target that it describes, and back. Secrets go one way only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from google.protobuf.descriptor import FieldDescriptor

from ibs_notify.console.forms import Form
from ibs_notify.console.overtaken import carried
from ibs_notify.console.targets.words import SECRETS
from ibs_notify.domain.preset import NEEDS, Preset, Token
from ibs_notify.domain.target import SmtpAuth, TlsMode
from ironcore.notification.v1 import target_pb2 as pb

AUTH: Final[Mapping[str, pb.SmtpAuthMethod.ValueType]] = MappingProxyType(
    {each.value: pb.SmtpAuthMethod.Value(f"SMTP_AUTH_METHOD_{each.name}") for each in SmtpAuth}
)
TLS: Final[Mapping[str, pb.SmtpTlsMode.ValueType]] = MappingProxyType(
    {each.value: pb.SmtpTlsMode.Value(f"SMTP_TLS_MODE_{each.name}") for each in TlsMode}
)
PRESETS: Final[Mapping[str, pb.WebhookPreset.ValueType]] = MappingProxyType(
    {each.value: pb.WebhookPreset.Value(f"WEBHOOK_PRESET_{each.name}") for each in Preset}
)
PROTOCOLS: Final = MappingProxyType(
    {"influxdb-v2": "influxdb", "prometheus-pushgateway": "pushgateway"}
)
"""The words of ``--protocol``, and the kind of target that speaks it."""
JSON: Final = "application/json"


def target_of(kind: str, form: Form, stored: pb.Target | None = None) -> pb.Target:
    """The whole target of a form; ``kind`` is the field of the message, such as ``smtp``.

    What the form does not show, such as the templates of mails, is that of ``stored``. Secrets are
    there where they were written. ``InvalidArgument`` names a field that is no number.
    """
    target = pb.Target(name=form.text("name"), disabled=form.is_on("disabled"))
    if stored is not None:
        target.CopyFrom(stored)
    target.etag = form.text("etag")
    target.description = form.raw("description").strip()
    target.max_rate_per_minute = form.number("max_rate")
    match kind:
        case "smtp":
            _fill_smtp(target.smtp, form)
        case "webhook":
            _fill_webhook(target.webhook, form, is_new=stored is None)
        case "influxdb":
            influx = target.influxdb
            influx.url, influx.org = form.text("url"), form.text("org")
            influx.bucket, influx.token = form.text("bucket"), form.text("token")
            influx.ca_pem = form.raw("ca_pem").lstrip()
        case _:
            gateway = target.pushgateway
            gateway.url, gateway.job = form.text("url"), form.text("job")
            gateway.username, gateway.password = form.text("username"), form.raw("password")
            gateway.bearer_token = form.text("bearer_token")
            gateway.ca_pem = form.raw("ca_pem").lstrip()
    return target


def _fill_smtp(smtp: pb.SmtpTarget, form: Form) -> None:
    smtp.server = form.text("server")
    smtp.tls_mode = TLS.get(form.text("tls_mode"), pb.SMTP_TLS_MODE_STARTTLS)
    smtp.port = form.number("port") or _default_port(smtp.tls_mode)
    smtp.from_address = form.text("from_address")
    smtp.auth_method = AUTH.get(form.text("auth_method"), pb.SMTP_AUTH_METHOD_NONE)
    logs_in = smtp.auth_method != pb.SMTP_AUTH_METHOD_NONE
    smtp.username = form.text("username") if logs_in else ""
    smtp.password = form.raw("password") if logs_in else ""
    smtp.ca_pem = form.raw("ca_pem").lstrip()
    del smtp.recipients[:]
    smtp.recipients.extend(form.words("recipients"))


def _fill_webhook(hook: pb.WebhookTarget, form: Form, *, is_new: bool) -> None:
    chosen = form.text("preset")
    preset = Preset(chosen) if chosen in PRESETS else None
    needs = None if preset is None else NEEDS[preset]
    hook.preset = PRESETS.get(chosen, pb.WEBHOOK_PRESET_UNSPECIFIED)
    hook.url = form.text("url") or ("" if needs is None else needs.url)
    hook.method = form.text("method").upper() or "POST" if needs is None else "POST"
    content_type = form.text("content_type") if needs is None else needs.content_type
    hook.content_type = "" if is_new and (needs or content_type == JSON) else content_type
    has_body = preset is not Preset.PAGERDUTY
    hook.body_template = form.raw("body_template") if has_body else ""
    hook.digest_body_template = form.raw("digest_body_template") if has_body else ""
    takes_token = needs is not None and needs.token is not Token.NONE
    hook.token = form.text("token") if takes_token else ""
    own = {} if needs is None else needs.fields
    hook.account = form.text("account") if "account" in own else ""
    hook.sender = form.text("sender") if "sender" in own else ""
    hook.recipient = form.text("recipient") if "recipient" in own else ""
    hook.signing_secret = form.text("signing_secret")
    hook.ca_pem = form.raw("ca_pem").lstrip()
    del hook.headers[:]
    hook.headers.extend(_headers(form))


def _headers(form: Form) -> list[pb.Header]:
    """Those written in the rows, but for the ones that are to be removed."""
    names, values = form.values.get("header_name", ()), form.values.get("header_value", ())
    removed = {each.lower() for each in form.texts("remove_header")}
    rows = [
        pb.Header(name=name.strip(), value=value.strip())
        for name, value in zip(names, values, strict=False)
    ]
    return [each for each in rows if (each.name or each.value) and each.name.lower() not in removed]


def form_of(target: pb.Target) -> Form:
    """What a form about ``target`` shows: everything but secrets."""
    kind = target.WhichOneof("kind") or "smtp"
    message = getattr(target, kind)
    shown = {
        "name": target.name,
        "etag": target.etag,
        "opened": carried(_shown(target)),
        "description": target.description,
        "max_rate": str(target.max_rate_per_minute or ""),
        "disabled": "on" if target.disabled else "",
    }
    for each in message.DESCRIPTOR.fields:
        if _is_text(each) and each.name not in SECRETS:
            shown[each.name] = getattr(message, each.name)
    match kind:
        case "smtp":
            shown["port"] = str(target.smtp.port or "")
            shown["recipients"] = "\n".join(target.smtp.recipients)
            shown["auth_method"] = word_of(AUTH, target.smtp.auth_method)
            shown["tls_mode"] = word_of(TLS, target.smtp.tls_mode)
        case "webhook":
            shown["preset"] = word_of(PRESETS, target.webhook.preset)
        case _:
            shown["protocol"] = word_of(PROTOCOLS, kind)
    return Form({name: [value] for name, value in shown.items() if value})


def _shown(target: pb.Target) -> pb.Target:
    """Without the templates of mails, which have their own page, and may be long."""
    shown = pb.Target()
    shown.CopyFrom(target)
    for each in pb.SmtpTarget.DESCRIPTOR.fields if target.HasField("smtp") else ():
        if each.name.endswith("_template"):
            shown.smtp.ClearField(each.name)
    return shown


def _is_text(field: FieldDescriptor) -> bool:
    return field.type == field.TYPE_STRING and not field.is_repeated


def word_of(words: Mapping[str, object], value: object) -> str:
    """The word that stands for ``value``; empty where there is none."""
    return next((word for word, each in words.items() if each == value), "")


def _default_port(mode: pb.SmtpTlsMode.ValueType) -> int:
    return TlsMode(word_of(TLS, mode)).default_port
