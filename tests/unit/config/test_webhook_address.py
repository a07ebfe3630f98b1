"""An address is told up to its host, and nothing that is told can be saved as one."""

from __future__ import annotations

import pytest

from ibs_notify.config.syntax import url_problem
from ibs_notify.config.webhook_address import fingerprint, up_to_host, without_path
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target, WebhookTarget

SLACK = "https://hooks.slack.com/services/T000/B000/XXXX"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (SLACK, "https://hooks.slack.com/…"),
        ("https://chat.example.com:8443/?key=hunter2", "https://chat.example.com:8443/…"),
        ("https://chat.example.com?key=hunter2", "https://chat.example.com/…"),
        ("http://[::1]:8080/hook", "http://[::1]:8080/…"),
        ("https://chat.example.com", "https://chat.example.com"),
        ("https://chat.example.com/", "https://chat.example.com/"),
        ("", ""),
    ],
)
def test_path_and_query_are_left_out(url: str, told: str) -> None:
    assert up_to_host(url) == told


def test_what_is_told_is_refused_as_an_address() -> None:
    assert url_problem(SLACK) == ""
    assert url_problem(up_to_host(SLACK)) != ""


def test_a_fingerprint_tells_two_addresses_of_a_host_apart() -> None:
    assert fingerprint(SLACK) != fingerprint(f"{SLACK}Y")
    assert "XXXX" not in fingerprint(SLACK)
    assert fingerprint("https://chat.example.com") == "https://chat.example.com"


def test_the_target_itself_stays_and_others_than_webhooks_are_shown_as_they_are() -> None:
    target = Target(webhook=WebhookTarget(url=SLACK, method="POST"))
    shown = without_path(target)
    assert (target.webhook.url, shown.webhook.method) == (SLACK, "POST")
    mail = Target(smtp=SmtpTarget(server="smtp.example.com"))
    assert without_path(mail) == mail
    assert without_path(mail).WhichOneof("kind") == "smtp"
