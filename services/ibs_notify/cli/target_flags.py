"""The flags that describe a target, and the message that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from ibs_notify.cli.files import read_secret, read_text
from ibs_notify.cli.options import Command, with_options
from ibs_notify.cli.output import warn
from ibs_notify.cli.params import number_or_off
from ibs_notify.cli.template_flags import read_templates, template_flags
from ibs_notify.domain.preset import Preset
from ironcore.notification.v1 import target_pb2 as pb

_AUTH = {
    "plain": pb.SMTP_AUTH_METHOD_PLAIN,
    "login": pb.SMTP_AUTH_METHOD_LOGIN,
    "none": pb.SMTP_AUTH_METHOD_NONE,
}
_TLS = {
    "starttls": pb.SMTP_TLS_MODE_STARTTLS,
    "implicit": pb.SMTP_TLS_MODE_IMPLICIT,
    "none": pb.SMTP_TLS_MODE_NONE,
}
_FILE = click.Path()
_OPTIONS = (
    click.option("--description", help="For people."),
    click.option(
        "--max-rate",
        type=number_or_off,
        metavar="N|off",
        help="The most messages a minute, or off.",
    ),
    click.option("--server", help="smtp: host name or address."),
    click.option("--port", type=click.IntRange(1, 65535), help="smtp: default by --tls."),
    click.option("--from", "from_address", metavar="ADDR", help="smtp, twilio-sms: the sender."),
    click.option("--auth-method", type=click.Choice(list(_AUTH)), help="smtp: how to log in."),
    click.option("--tls", type=click.Choice(list(_TLS)), help="smtp: default starttls."),
    click.option(
        "--to",
        metavar="ADDR",
        multiple=True,
        help="smtp: a recipient. Repeatable. twilio-sms: the number.",
    ),
    click.option("--username", help="smtp, pushgateway: the login name. twilio-sms: the SID."),
    click.option("--password-file", type=_FILE, help="The file with the password; - is stdin."),
    click.option("--password-stdin", is_flag=True, help="Read the password from stdin."),
    click.option("--password", help="The password itself; others can see it. Prefer a file."),
    click.option("--url", help="webhook, metric-server: the address."),
    click.option(
        "--method",
        type=click.Choice(["POST", "PUT", "PATCH"], case_sensitive=False),
        help="webhook: default POST.",
    ),
    click.option(
        "--header",
        metavar="'NAME: VALUE'",
        multiple=True,
        help="webhook: a header to send; others can see it. Repeatable.",
    ),
    click.option(
        "--header-file",
        type=_FILE,
        multiple=True,
        help="webhook: a file with a header on each line; - is stdin.",
    ),
    click.option(
        "--preset",
        type=click.Choice([*(each.value for each in Preset), "none"]),
        help="webhook: whose language it speaks.",
    ),
    click.option(
        "--signing-secret-file",
        type=_FILE,
        help="webhook: the file with the secret (whsec_…) that signs every request; - is stdin.",
    ),
    click.option("--content-type", help="webhook: default application/json."),
    click.option(
        "--protocol",
        type=click.Choice(["influxdb-v2", "prometheus-pushgateway"]),
        help="metric-server: what it speaks.",
    ),
    click.option("--org", help="influxdb-v2: the organisation."),
    click.option("--bucket", help="influxdb-v2: the bucket."),
    click.option(
        "--token-file", type=_FILE, help="The file with the API token, or routing key; - is stdin."
    ),
    click.option("--token", help="The API token itself; others can see it. Prefer a file."),
    click.option("--job", help="prometheus-pushgateway: default ibs-notifications."),
    click.option("--ca-file", type=_FILE, help="Certificates (PEM) to trust for this target."),
)
TYPES = ("smtp", "webhook", "metric-server")


def target_flags(command: Command) -> Command:
    """Adds every flag that describes a target; the command passes them on to ``Given.read``."""
    return with_options(_OPTIONS)(template_flags(command))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of target: its oneof field, its name for people, and flag → field."""

    field: str
    label: str
    fields: Mapping[str, str]


_SMTP = Kind(
    "smtp",
    "an smtp target",
    {
        "server": "server",
        "port": "port",
        "from": "from_address",
        "auth-method": "auth_method",
        "tls": "tls_mode",
        "to": "recipients",
        "username": "username",
        "password": "password",
        "ca-file": "ca_pem",
        "subject-template": "subject_template",
        "text-template": "text_template",
        "html-template": "html_template",
        "subject-template-digest": "digest_subject_template",
        "text-template-digest": "digest_text_template",
        "html-template-digest": "digest_html_template",
    },
)
_WEBHOOK = Kind(
    "webhook",
    "a webhook target",
    {
        "url": "url",
        "method": "method",
        "header": "headers",
        "preset": "preset",
        "token": "token",
        "username": "account",
        "from": "sender",
        "to": "recipient",
        "body-template": "body_template",
        "body-template-digest": "digest_body_template",
        "content-type": "content_type",
        "ca-file": "ca_pem",
        "signing-secret": "signing_secret",
    },
)
_INFLUXDB = Kind(
    "influxdb",
    "an influxdb-v2 metric server",
    {"url": "url", "org": "org", "bucket": "bucket", "token": "token", "ca-file": "ca_pem"},
)
_PUSHGATEWAY = Kind(
    "pushgateway",
    "a prometheus-pushgateway metric server",
    {
        "url": "url",
        "job": "job",
        "username": "username",
        "password": "password",
        "token": "bearer_token",
        "ca-file": "ca_pem",
    },
)
KINDS = {kind.field: kind for kind in (_SMTP, _WEBHOOK, _INFLUXDB, _PUSHGATEWAY)}
_PROTOCOLS = {"influxdb-v2": _INFLUXDB, "prometheus-pushgateway": _PUSHGATEWAY}


@dataclass(frozen=True, slots=True)
class Given:
    """The flags that were given, files read: ``common`` and ``specific`` map flag to value."""

    common: Mapping[str, Any]
    specific: Mapping[str, Any]
    protocol: str | None = None

    @classmethod
    def read(cls, flags: Mapping[str, Any]) -> Given:
        """From the parameters that ``target_flags`` added."""
        common = {
            "description": flags["description"],
            "max_rate_per_minute": flags["max_rate"],
        }
        specific = {
            "server": flags["server"],
            "port": flags["port"],
            "from": flags["from_address"],
            "auth-method": _AUTH.get(flags["auth_method"]),
            "tls": _TLS.get(flags["tls"]),
            "to": _addresses(flags["to"]),
            "username": flags["username"],
            "password": _password(flags),
            "url": flags["url"],
            "method": flags["method"],
            "header": _headers(flags),
            "preset": _preset(flags["preset"]),
            "signing-secret": _signing_secret(flags["signing_secret_file"]),
            "content-type": flags["content_type"],
            "org": flags["org"],
            "bucket": flags["bucket"],
            "token": _token(flags),
            "job": flags["job"],
            "ca-file": _file(flags["ca_file"], "--ca-file"),
            **read_templates(flags),
        }
        if flags["password"] is not None or flags["token"] is not None or flags["header"]:
            warn(
                "a secret on the command line is visible to others in the process list; "
                "--password-file, --token-file and --header-file keep it out of there"
            )
        return cls(_present(common), _present(specific), flags["protocol"])

    @property
    def anything(self) -> bool:
        """Whether any flag was given."""
        return bool(self.common or self.specific or self.protocol)

    def kind(self, type_name: str | None) -> Kind:
        """The kind of a new target from ``--type`` and ``--protocol``; a preset is of webhooks."""
        if type_name is None and "preset" in self.specific:
            type_name = "webhook"
        if type_name is None:
            raise click.UsageError(f"--type is missing: {', '.join(TYPES)}")
        if type_name != "metric-server":
            if self.protocol:
                raise click.UsageError("--protocol is for --type metric-server")
            return KINDS[type_name]
        if self.protocol is None:
            raise click.UsageError(
                "--type metric-server needs --protocol influxdb-v2 or prometheus-pushgateway"
            )
        return _PROTOCOLS[self.protocol]

    def target(self, name: str, kind: Kind) -> pb.Target:
        """The message with what was given; a flag of another kind is a usage error."""
        foreign = [f"--{flag}" for flag in self.specific if flag not in kind.fields]
        if foreign:
            raise click.UsageError(f"{', '.join(foreign)}: not a setting of {kind.label}")
        inner = {kind.fields[flag]: value for flag, value in self.specific.items()}
        if kind is _WEBHOOK and "recipient" in inner:
            inner["recipient"] = _number(inner["recipient"])
        message = pb.Target(name=name, **self.common)
        getattr(message, kind.field).SetInParent()
        getattr(message, kind.field).MergeFrom(_INNER[kind.field](**inner))
        return message

    def paths(self, kind: Kind) -> list[str]:
        """The update mask of what was given."""
        return [*self.common, *(f"{kind.field}.{kind.fields[flag]}" for flag in self.specific)]


_INNER: Mapping[str, Callable[..., Any]] = {
    "smtp": pb.SmtpTarget,
    "webhook": pb.WebhookTarget,
    "influxdb": pb.InfluxDbTarget,
    "pushgateway": pb.PushgatewayTarget,
}


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _addresses(given: tuple[str, ...]) -> list[str] | None:
    """``--to ''`` empties the list."""
    return [each for each in given if each] if given else None


def _number(given: list[str]) -> str:
    if len(given) > 1:
        raise click.UsageError("--to: a message goes to one number; make a target for each")
    return given[0] if given else ""


def _preset(name: str | None) -> int | None:
    if name is None:
        return None
    if name == "none":
        return pb.WEBHOOK_PRESET_UNSPECIFIED
    return pb.WebhookPreset.Value(f"WEBHOOK_PRESET_{Preset(name).name}")


def _signing_secret(path: str | None) -> str | None:
    return read_secret(path, "--signing-secret-file") if path else path


def _file(path: str | None, flag: str) -> str | None:
    if path is None:
        return None
    return read_text(path, flag) if path else ""


def _password(flags: Mapping[str, Any]) -> str | None:
    given = [
        flag
        for flag, name in (
            ("--password", "password"),
            ("--password-file", "password_file"),
            ("--password-stdin", "password_stdin"),
        )
        if flags[name]
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other")
    if flags["password_stdin"]:
        return read_secret("-", "--password-stdin")
    if flags["password_file"]:
        return read_secret(flags["password_file"], "--password-file")
    password: str | None = flags["password"]
    return password


def _token(flags: Mapping[str, Any]) -> str | None:
    token: str | None = flags["token"]
    if not flags["token_file"]:
        return token
    if token is not None:
        raise click.UsageError("--token and --token-file exclude each other")
    return read_secret(flags["token_file"], "--token-file")


def _headers(flags: Mapping[str, Any]) -> list[pb.Header] | None:
    headers = [_header(line, "--header") for line in flags["header"]]
    for path in flags["header_file"]:
        lines = read_secret(path, "--header-file").splitlines()
        headers += [_header(line, "--header-file") for line in lines if line.strip()]
    return headers or None


def _header(line: str, flag: str) -> pb.Header:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        # The text is not repeated here: it may be a secret.
        raise click.UsageError(f"{flag}: a header is written 'Name: value'")
    return pb.Header(name=name.strip(), value=value.strip())
