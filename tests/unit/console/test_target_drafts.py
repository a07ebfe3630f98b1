"""Between forms and targets, and what a change would cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console.forms import Form
from ibs_notify.console.targets.changes import loss_of, update_of
from ibs_notify.console.targets.differences import differences, join
from ibs_notify.console.targets.draft import form_of, target_of
from ibs_notify.console.targets.health import certificate_tone, standing
from ibs_notify.console.targets.sparkline import sparkline
from ibs_notify.domain.errors import InvalidArgument
from ironcore.notification.v1 import delivery_service_pb2 as delivery
from ironcore.notification.v1 import target_pb2 as pb

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)


def stored_mail() -> pb.Target:
    return pb.Target(
        name="ops-smtp",
        etag="e1",
        smtp=pb.SmtpTarget(
            server="smtp.example.com",
            port=587,
            tls_mode=pb.SMTP_TLS_MODE_STARTTLS,
            auth_method=pb.SMTP_AUTH_METHOD_PLAIN,
            username="ibs",
            password_set=True,
            subject_template="{{event.subject}}",
        ),
    )


def stored_hook() -> pb.Target:
    return pb.Target(
        name="chat",
        webhook=pb.WebhookTarget(
            url="https://chat.example.com/x",
            method="POST",
            content_type="application/json",
            headers=[pb.Header(name="Authorization", value_set=True)],
            signing_secret_set=True,
        ),
    )


def edited(stored: pb.Target, **changes: str) -> tuple[Form, pb.Target]:
    form = Form({**form_of(stored).values, **{name: [text] for name, text in changes.items()}})
    return form, target_of(stored.WhichOneof("kind") or "", form, stored)


@pytest.mark.parametrize("stored", [stored_mail(), stored_hook()])
def test_a_form_sent_as_it_was_shown_changes_nothing(stored: pb.Target) -> None:
    form, wanted = edited(stored)
    assert update_of(stored, wanted, form) is None
    assert loss_of(stored, wanted, form) is None


def test_a_form_shows_no_secret() -> None:
    target = stored_mail()
    target.smtp.password = "s3cret"
    assert "s3cret" not in str(form_of(target).values)


def test_only_what_was_changed_is_asked_for() -> None:
    stored = stored_mail()
    form, wanted = edited(stored, from_address="new@example.com")
    request = update_of(stored, wanted, form)
    assert request is not None
    assert [*request.update_mask.paths] == ["smtp.from_address"]
    assert request.target == pb.Target(
        name="ops-smtp", etag="e1", smtp=pb.SmtpTarget(from_address="new@example.com")
    )


def test_what_the_form_does_not_show_stays_in_the_draft() -> None:
    _, wanted = edited(stored_mail(), server="other.example.com")
    assert wanted.smtp.subject_template == "{{event.subject}}"


def test_a_number_that_is_none_is_a_fault_of_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        edited(stored_mail(), port="58x")
    assert [each.path for each in caught.value.violations] == ["port"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"server": "other.example.com"}, "server"),
        ({"port": "465", "tls_mode": "implicit"}, "port and TLS"),
        ({"username": "other"}, "username"),
    ],
)
def test_a_mail_server_elsewhere_costs_its_password(change: dict[str, str], named: str) -> None:
    stored = stored_mail()
    form, wanted = edited(stored, **change)
    loss = loss_of(stored, wanted, form)
    assert loss is not None
    assert loss.words == (named, "password")
    form, wanted = edited(stored, **change, password="again")
    assert loss_of(stored, wanted, form) is None


def test_a_webhook_elsewhere_costs_its_headers_and_its_signature() -> None:
    stored = stored_hook()
    form, wanted = edited(
        stored, url="https://other.example.com/x", header_name="Authorization", header_value=""
    )
    loss = loss_of(stored, wanted, form)
    assert loss is not None
    assert loss.words == ("URL", "header Authorization and signing secret")


def test_another_path_of_the_same_host_costs_nothing() -> None:
    stored = stored_hook()
    form, wanted = edited(stored, url="https://chat.example.com/y")
    assert loss_of(stored, wanted, form) is None


@pytest.mark.parametrize("port", ["0", "99999999"])
def test_what_is_half_written_is_no_loss(port: str) -> None:
    stored = stored_hook()
    form, wanted = edited(stored, url=f"https://[::1:{port}")
    assert loss_of(stored, wanted, form) is None


def test_differences_are_told_in_words() -> None:
    stored = stored_mail()
    _, wanted = edited(stored, tls_mode="implicit", recipients="a@example.com", password="s3cret")
    fields = join(None, wanted, stored).both
    found = differences(wanted, stored, fields)
    told = [(each.label, each.stored, each.written) for each in found]
    assert told == [("TLS", "starttls", "implicit"), ("Recipients", "", "a@example.com")]


def status(**fields: object) -> delivery.GetTargetStatusResponse:
    return delivery.GetTargetStatusResponse(**fields)  # type: ignore[arg-type]


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


@pytest.mark.parametrize(
    ("disabled", "says", "word"),
    [
        (True, status(health=delivery.TARGET_HEALTH_FAILING), "disabled"),
        (False, status(health=delivery.TARGET_HEALTH_PAUSED), "paused"),
        (False, status(health=delivery.TARGET_HEALTH_FAILING), "failing"),
        (False, status(health=delivery.TARGET_HEALTH_RECOVERING), "recovering"),
        (False, status(failing_since=stamp(NOW)), "failed lately"),
        (False, status(last_success_time=stamp(NOW)), "ok"),
        (False, status(), "no delivery yet"),
    ],
)
def test_a_target_stands_in_a_word(
    disabled: bool, says: delivery.GetTargetStatusResponse, word: str
) -> None:
    assert standing(pb.Target(disabled=disabled), says).word == word


@pytest.mark.parametrize(("days", "tone"), [(31, ""), (29, "warn"), (0, "bad"), (-1, "bad")])
def test_a_certificate_is_warned_of_below_30_days(days: int, tone: str) -> None:
    assert certificate_tone(stamp(NOW + timedelta(days=days)), NOW) == tone


def test_the_last_day_is_drawn_from_left_to_right() -> None:
    spans = [
        delivery.DeliverySpan(start_time=stamp(NOW.replace(minute=0)), delivered=40),
        delivery.DeliverySpan(
            start_time=stamp(NOW - timedelta(hours=23)), delivered=1, failed_attempts=39, dead=2
        ),
        delivery.DeliverySpan(start_time=stamp(NOW - timedelta(hours=30)), delivered=900),
    ]
    line = sparkline(spans, NOW)
    assert line.delivered == [1, *[0] * 22, 40]
    assert line.failed == [39, *[0] * 23]
    assert line.words == "The last day: 41 delivered, 39 failed attempts, 2 given up"
