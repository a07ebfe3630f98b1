"""Every bad field of a target is named in one answer."""

from __future__ import annotations

import pytest
import trustme
from tests.support.config import smtp_target, webhook_target

from ibs_notify.config.target_check import check_update, new_target
from ibs_notify.domain.errors import InvalidArgument, Reason
from ironcore.notification.v1 import target_pb2 as pb


def paths_of(target: pb.Target) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        check_update(None, new_target(target), frozenset())
    return {each.path: each.description for each in caught.value.violations}


def accepted(target: pb.Target) -> pb.Target:
    update = new_target(target)
    check_update(None, update, frozenset())
    return update.target


def test_all_faults_of_a_mail_target_are_named_at_once() -> None:
    target = smtp_target(
        "Ops Mail",
        server="not a host",
        port=70000,
        from_address="nobody",
        username="",
        auth_method=pb.SMTP_AUTH_METHOD_LOGIN,
        ca_pem="junk",
    )
    target.description = "x" * 1001
    target.smtp.recipients.append("a@example.com\nBcc: b@example.com")
    assert paths_of(target).keys() == {
        "target.name",
        "target.description",
        "target.smtp.server",
        "target.smtp.port",
        "target.smtp.from_address",
        "target.smtp.username",
        "target.smtp.recipients[1]",
        "target.smtp.ca_pem",
    }


@pytest.mark.parametrize(
    ("mode", "port"),
    [
        (pb.SMTP_TLS_MODE_UNSPECIFIED, 587),
        (pb.SMTP_TLS_MODE_STARTTLS, 587),
        (pb.SMTP_TLS_MODE_IMPLICIT, 465),
        (pb.SMTP_TLS_MODE_NONE, 25),
    ],
)
def test_the_port_follows_from_the_tls_mode(mode: pb.SmtpTlsMode.ValueType, port: int) -> None:
    assert accepted(smtp_target(tls_mode=mode)).smtp.port == port


def test_a_username_means_plain_and_none_means_no_login() -> None:
    assert accepted(smtp_target()).smtp.auth_method == pb.SMTP_AUTH_METHOD_PLAIN
    anonymous = smtp_target(username="", password="")
    assert accepted(anonymous).smtp.auth_method == pb.SMTP_AUTH_METHOD_NONE


def test_a_password_without_a_login_is_refused() -> None:
    assert "target.smtp.password" in paths_of(smtp_target(username=""))


def test_a_login_without_a_password_says_that_a_secret_is_required() -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(smtp_target(password=""))
    assert caught.value.reason is Reason.SECRET_REQUIRED
    assert [each.path for each in caught.value.violations] == ["target.smtp.password"]


def test_numbers_that_no_enum_has_are_refused() -> None:
    target = smtp_target(auth_method=9, tls_mode=9)
    assert {"target.smtp.auth_method", "target.smtp.tls_mode"} <= paths_of(target).keys()


def test_a_target_needs_a_kind() -> None:
    assert paths_of(pb.Target(name="empty")).keys() == {"target.kind"}


def test_all_faults_of_a_webhook_are_named_at_once() -> None:
    target = webhook_target(
        url="https://u:p@chat.example.com/", method="GET", body_template='{"a": "{{event.nope}}"}'
    )
    target.webhook.headers.add(name="authorization", value="again")
    target.webhook.headers.add(name="Host", value="x")
    target.webhook.headers.add(name="X-Key", value="a\r\nb")
    found = paths_of(target)
    assert found.keys() == {
        "target.webhook.url",
        "target.webhook.method",
        "target.webhook.headers[1].name",
        "target.webhook.headers[2].name",
        "target.webhook.headers[3].value",
        "target.webhook.body_template",
    }
    assert "line 1, column" in found["target.webhook.body_template"]


def test_a_template_fault_alone_has_its_own_reason() -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(webhook_target(body_template="{"))
    assert caught.value.reason is Reason.TEMPLATE_INVALID


def test_a_content_type_without_known_escaping_names_that_field() -> None:
    assert "target.webhook.content_type" in paths_of(webhook_target(content_type="image/png"))


def test_webhook_defaults_are_written_down() -> None:
    webhook = accepted(webhook_target(method="put")).webhook
    assert (webhook.method, webhook.content_type) == ("PUT", "application/json")


def test_a_header_without_a_value_is_a_missing_secret() -> None:
    target = webhook_target()
    target.webhook.headers.add(name="X-Key")
    assert paths_of(target).keys() == {"target.webhook.headers[x-key]"}


def test_metric_servers_need_what_their_protocol_needs() -> None:
    influx = pb.Target(name="metrics", influxdb=pb.InfluxDbTarget(url="https://m.example.com"))
    assert paths_of(influx).keys() == {
        "target.influxdb.org",
        "target.influxdb.bucket",
        "target.influxdb.token",
    }
    gateway = pb.Target(
        name="push",
        pushgateway=pb.PushgatewayTarget(
            url="https://p.example.com", username="u", bearer_token="t"
        ),
    )
    assert paths_of(gateway).keys() == {
        "target.pushgateway.bearer_token",
        "target.pushgateway.password",
    }


@pytest.mark.parametrize("kind", ["influxdb", "pushgateway"])
def test_to_the_url_of_a_metric_server_a_path_can_be_added(kind: str) -> None:
    target = pb.Target(name="metrics")
    getattr(target, kind).url = "https://m.example.com/base?token=t"
    assert "has a query" in paths_of(target)[f"target.{kind}.url"]


def test_a_real_certificate_is_taken_and_the_job_has_a_default() -> None:
    pem = trustme.CA().cert_pem.bytes().decode()
    gateway = pb.PushgatewayTarget(url="https://p.example.com", ca_pem=pem)
    target = accepted(pb.Target(name="push", pushgateway=gateway))
    assert target.pushgateway.job == "ibs-notifications"


def test_no_fault_repeats_a_secret() -> None:
    canary = "canary\n4711"
    target = webhook_target()
    target.webhook.headers[0].value = canary
    assert canary not in str(paths_of(target))
    assert canary not in str(paths_of(smtp_target(password=canary)))


SID = "AC" + "0" * 32
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def preset(kind: pb.WebhookPreset.ValueType, **webhook: str) -> pb.Target:
    target = pb.Target(name="peer")
    target.webhook.preset = kind
    for key, value in webhook.items():
        setattr(target.webhook, key, value)
    return target


@pytest.mark.parametrize(
    ("target", "url", "content_type"),
    [
        (
            preset(pb.WEBHOOK_PRESET_SLACK, url="https://hooks.slack.com/services/T/B/x"),
            "https://hooks.slack.com/services/T/B/x",
            "application/json",
        ),
        (
            preset(pb.WEBHOOK_PRESET_PAGERDUTY, token="k"),
            "https://events.pagerduty.com",
            "application/json",
        ),
        (
            preset(
                pb.WEBHOOK_PRESET_TWILIO_SMS,
                token="k",
                account=SID,
                sender="+15005550006",
                recipient="+491701234567",
            ),
            "https://api.twilio.com",
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_a_preset_needs_only_what_its_peer_gives(
    target: pb.Target, url: str, content_type: str
) -> None:
    webhook = accepted(target).webhook
    assert (webhook.url, webhook.content_type) == (url, content_type)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (preset(pb.WEBHOOK_PRESET_SLACK), "url"),
        (preset(pb.WEBHOOK_PRESET_SLACK, url="https://x", token="k"), "token"),
        (preset(pb.WEBHOOK_PRESET_GOTIFY, url="https://x"), "token"),
        (preset(pb.WEBHOOK_PRESET_PAGERDUTY, token="k", body_template="{}"), "body_template"),
        (
            preset(pb.WEBHOOK_PRESET_PAGERDUTY, token="k", digest_body_template="{}"),
            "digest_body_template",
        ),
        (preset(pb.WEBHOOK_PRESET_NTFY, url="https://ntfy.sh"), "url"),
        (preset(pb.WEBHOOK_PRESET_SLACK, url="https://x", method="PUT"), "method"),
        (preset(pb.WEBHOOK_PRESET_SLACK, url="https://x", sender="+15005550006"), "sender"),
        (preset(99, url="https://x"), "preset"),  # type: ignore[arg-type]
        (webhook_target(signing_secret="hunter2"), "signing_secret"),
    ],
)
def test_what_a_preset_or_a_signature_cannot_use_is_named(target: pb.Target, path: str) -> None:
    assert paths_of(target).keys() == {f"target.webhook.{path}"}


def test_twilio_names_every_number_that_is_missing() -> None:
    faults = paths_of(preset(pb.WEBHOOK_PRESET_TWILIO_SMS, token="k", account="AC1"))
    assert faults.keys() == {
        f"target.webhook.{each}" for each in ("account", "sender", "recipient")
    }


def test_a_preset_may_have_a_body_of_its_own_for_digests_alone() -> None:
    twilio = preset(
        pb.WEBHOOK_PRESET_TWILIO_SMS,
        token="k",
        account=SID,
        sender="+15005550006",
        recipient="+491701234567",
        digest_body_template="To={{ preset.recipient }}&Body={{ event.subject }}",
    )
    assert accepted(twilio).webhook.digest_body_template
    twilio.webhook.digest_body_template = "{{ nothing }}"
    assert paths_of(twilio).keys() == {"target.webhook.digest_body_template"}


def test_a_malformed_signing_secret_is_not_repeated() -> None:
    faults = paths_of(webhook_target(signing_secret="hunter2hunter2"))
    assert "hunter2" not in str(faults)
    assert accepted(webhook_target(signing_secret=SECRET))


@pytest.mark.parametrize(
    "field",
    [
        f"{prefix}{part}_template"
        for prefix in ("", "digest_")
        for part in ("subject", "text", "html")
    ],
)
def test_a_fault_of_a_mail_template_has_field_line_and_column(field: str) -> None:
    faults = paths_of(smtp_target(**{field: "hello\n{{ event.sevrity }}"}))
    assert faults.keys() == {f"target.smtp.{field}"}
    assert "line 2, column 10: there is no field event.sevrity" in faults[f"target.smtp.{field}"]


@pytest.mark.parametrize("field", ["body_template", "digest_body_template"])
def test_a_fault_of_a_body_has_its_field(field: str) -> None:
    assert paths_of(webhook_target(**{field: '{"a": {{ event.type }}}'})).keys() == {
        f"target.webhook.{field}"
    }
    large = paths_of(webhook_target(**{field: '{"a": "' + "x" * 70_000 + '"}'}))
    assert large == {f"target.webhook.{field}": "is larger than 64 KiB"}


def test_an_expression_in_a_script_of_a_mail_is_refused() -> None:
    faults = paths_of(smtp_target(html_template="<script>{{ event.subject }}</script>"))
    assert faults.keys() == {"target.smtp.html_template"}
