"""Targets: listed with their health, added, tested, changed, disabled and deleted."""

from __future__ import annotations

from tests.support.console import Console

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import Target

MAIL = {
    "name": "ops-smtp",
    "server": "smtp.example.com",
    "port": "587",
    "from_address": "ironcore-backup@example.com",
    "auth_method": "plain",
    "username": "ibs-svc",
    "password": "s3cret",
    "tls_mode": "starttls",
}


async def stored(console: Console, name: str) -> Target:
    request = pb.GetTargetRequest(name=name)
    return (await console.api.call(console.api.config.GetTarget, request)).target


async def test_an_empty_list_teaches_the_next_step(console: Console) -> None:
    page = await console.browser.get("/targets")
    assert page.says("No targets yet")
    assert 'href="/targets/new/smtp"' in page.text


async def test_the_pages_mail_target_is_added_word_for_word(console: Console) -> None:
    form = await console.browser.get("/targets/new/smtp")
    assert form.says("Add SMTP Target")
    page = await console.browser.post("/targets/new/smtp", MAIL)
    assert page.says("ops-smtp is saved.")
    smtp = (await stored(console, "ops-smtp")).smtp
    assert (smtp.server, smtp.port, smtp.username) == ("smtp.example.com", 587, "ibs-svc")
    assert smtp.password_set
    listed = await console.browser.get("/targets")
    assert listed.says("smtp.example.com:587")
    assert listed.says("not used yet")
