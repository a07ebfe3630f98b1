"""Whether a target may be saved: every bad field is named. Pure; secrets are judged elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ibs_notify.config import syntax
from ibs_notify.config.faults import Faults
from ibs_notify.config.validate_templates import check_mail_templates
from ibs_notify.config.validate_webhook import check_webhook, fill_webhook_defaults
from ibs_notify.domain.naming import NAME_RULE, is_name
from ibs_notify.domain.target import (
    INFLUXDB_TOKEN,
    PUSHGATEWAY_BEARER_TOKEN,
    PUSHGATEWAY_PASSWORD,
    SMTP_PASSWORD,
)
from ironcore.notification.v1 import target_pb2 as pb

MAX_DESCRIPTION = 1000
MAX_RECIPIENTS = 100
MAX_SECRET = 8192


def fill_defaults(target: pb.Target) -> None:
    """Write the API's defaults where nothing was given, so that what is stored says all of it."""
    match target.WhichOneof("kind"):
        case "smtp":
            smtp = target.smtp
            smtp.tls_mode = smtp.tls_mode or pb.SMTP_TLS_MODE_STARTTLS
            implied = pb.SMTP_AUTH_METHOD_PLAIN if smtp.username else pb.SMTP_AUTH_METHOD_NONE
            smtp.auth_method = smtp.auth_method or implied
            smtp.port = smtp.port or default_port(smtp.tls_mode)
        case "webhook":
            fill_webhook_defaults(target.webhook)
        case "pushgateway":
            target.pushgateway.job = target.pushgateway.job or "ibs-notifications"
        case "influxdb" | None:
            pass


def default_port(mode: pb.SmtpTlsMode.ValueType) -> int:
    """The port of a mail server where none is given."""
    return {pb.SMTP_TLS_MODE_IMPLICIT: 465, pb.SMTP_TLS_MODE_NONE: 25}.get(mode, 587)


def check_target(
    target: pb.Target, given: Mapping[str, str], faults: Faults, root: str = "target"
) -> None:
    """Add every fault of ``target``, defaults filled and without secrets, to ``faults``.

    ``given`` are the secrets of the request, by field; ``root`` begins each path.
    """
    if not is_name(target.name):
        faults.add(f"{root}.name", f"is not of {NAME_RULE}" if target.name else "is missing")
    if len(target.description) > MAX_DESCRIPTION:
        length = len(target.description)
        faults.add(f"{root}.description", f"has {length} characters; at most {MAX_DESCRIPTION}")
    kind = target.WhichOneof("kind")
    path = f"{root}.{kind}"
    match kind:
        case "smtp":
            _check_smtp(target.smtp, given, faults, path)
        case "webhook":
            check_webhook(target.webhook, given, faults, path)
        case "influxdb":
            _check_influxdb(target.influxdb, given, faults, path)
        case "pushgateway":
            _check_pushgateway(target.pushgateway, given, faults, path)
        case None:
            faults.add(
                f"{root}.kind", "is missing", "give one of smtp, webhook, influxdb, pushgateway"
            )


def check_recipients(recipients: Sequence[str], faults: Faults, path: str) -> None:
    """At most 100 mail addresses."""
    if len(recipients) > MAX_RECIPIENTS:
        faults.add(path, f"has {len(recipients)} addresses; at most {MAX_RECIPIENTS}")
    for index, recipient in enumerate(recipients[:MAX_RECIPIENTS]):
        faults.add(f"{path}[{index}]", syntax.address_problem(recipient))


def _check_smtp(smtp: pb.SmtpTarget, given: Mapping[str, str], faults: Faults, path: str) -> None:
    faults.add(f"{path}.server", syntax.host_problem(smtp.server))
    if smtp.port > 65535:
        faults.add(f"{path}.port", f"is {smtp.port}; ports are 1 to 65535")
    if smtp.from_address:
        faults.add(f"{path}.from_address", syntax.address_problem(smtp.from_address))
    if smtp.auth_method not in pb.SmtpAuthMethod.values():
        faults.add(f"{path}.auth_method", f"no method has the number {smtp.auth_method}")
    if smtp.tls_mode not in pb.SmtpTlsMode.values():
        faults.add(f"{path}.tls_mode", f"no mode has the number {smtp.tls_mode}")
    faults.add(f"{path}.username", syntax.text_problem(smtp.username, 256))
    if smtp.auth_method in (pb.SMTP_AUTH_METHOD_PLAIN, pb.SMTP_AUTH_METHOD_LOGIN):
        if not smtp.username:
            faults.add(f"{path}.username", "is missing, and the auth method needs one")
    elif SMTP_PASSWORD in given:
        advice = "give a username, or auth_method PLAIN or LOGIN"
        faults.add(f"{path}.password", "is given, but the auth method is none", advice)
    _check_secret(given.get(SMTP_PASSWORD, ""), faults, f"{path}.password")
    check_recipients(smtp.recipients, faults, f"{path}.recipients")
    check_mail_templates(smtp, faults, path)
    faults.add(f"{path}.ca_pem", syntax.pem_problem(smtp.ca_pem))


def _check_influxdb(
    influx: pb.InfluxDbTarget, given: Mapping[str, str], faults: Faults, path: str
) -> None:
    faults.add(f"{path}.url", syntax.base_url_problem(influx.url))
    faults.add(f"{path}.org", syntax.text_problem(influx.org, 256, required=True))
    faults.add(f"{path}.bucket", syntax.text_problem(influx.bucket, 256, required=True))
    faults.add(f"{path}.token", syntax.header_value_problem(given.get(INFLUXDB_TOKEN, "")))
    faults.add(f"{path}.ca_pem", syntax.pem_problem(influx.ca_pem))


def _check_pushgateway(
    gateway: pb.PushgatewayTarget, given: Mapping[str, str], faults: Faults, path: str
) -> None:
    faults.add(f"{path}.url", syntax.base_url_problem(gateway.url))
    faults.add(f"{path}.job", syntax.text_problem(gateway.job, 256))
    faults.add(f"{path}.username", syntax.text_problem(gateway.username, 256))
    if ":" in gateway.username:
        # RFC 7617, 2: a user-id with a colon cannot be told from its password.
        faults.add(f"{path}.username", "contains a colon, which basic authentication cannot carry")
    if PUSHGATEWAY_PASSWORD in given and not gateway.username:
        faults.add(f"{path}.username", "is missing, but a password is given")
    if PUSHGATEWAY_BEARER_TOKEN in given and gateway.username:
        advice = "clear the username to use the token"
        faults.add(f"{path}.bearer_token", "is given beside a username; use one of them", advice)
    bearer = given.get(PUSHGATEWAY_BEARER_TOKEN, "")
    faults.add(f"{path}.bearer_token", syntax.header_value_problem(bearer))
    _check_secret(given.get(PUSHGATEWAY_PASSWORD, ""), faults, f"{path}.password")
    faults.add(f"{path}.ca_pem", syntax.pem_problem(gateway.ca_pem))


def _check_secret(secret: str, faults: Faults, path: str) -> None:
    # RFC 4616, 2: NUL separates the parts of PLAIN.
    if len(secret) > MAX_SECRET or any(character in secret for character in "\0\r\n"):
        problem = f"contains a line break or NUL, or is longer than {MAX_SECRET} characters"
        faults.add(path, problem, "a password file must not end with an empty line")
