"""What is stored of a report is what goes out: as mail, as a request, and on every retry."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
from tests.support.delivery import FakeClock, work
from tests.support.http_server import HttpServer
from tests.support.reports import CLOSED, event, report_of
from tests.support.transports import ANYWHERE

from ibs_notify.delivery.model import Completion, Kind, State, Work
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.reports.digest_report import DigestReport, to_bytes
from ibs_notify.delivery.sending.sender import Sender, message_of
from ibs_notify.delivery.transports.base import (
    Message,
    Outcome,
    OutcomeReason,
    Stage,
    Tell,
    Transport,
    untold,
)
from ibs_notify.delivery.transports.mail_message import MailComposer
from ibs_notify.delivery.transports.webhook import WebhookTransport
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.target import Target, WebhookSpec
from ibs_notify.domain.templates import NO_TEMPLATE_SET
from ibs_notify.rpc.convert import event_to_proto
from ibs_notify.snapshot.model import Snapshot

SNAPSHOT = Snapshot(1, InstallationSettings(sender="backup@example.org"))


def a_report() -> DigestReport:
    return report_of(event("backup.failed", 1), event("backup.completed", 2, "b:vm/1"))


def stored(body: bytes, kind: Kind = Kind.DIGEST) -> Work:
    return work("a@example.org", kind=kind, created_at=CLOSED, body=body)


def test_a_digest_is_mailed_with_its_subject_and_both_parts() -> None:
    composer = MailComposer(NO_TEMPLATE_SET, "", "backup-host")
    message = message_of(stored(to_bytes(a_report())), SNAPSHOT)
    raw = composer.compose(message, utf8=False)
    assert raw == composer.compose(message, utf8=False)
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Subject"] == "[IBS] Daily digest of compliance: 1 failed, 1 other"
    assert mail["X-IBS-Event-Id"] == "digest-d-1"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "1 × backup.failed on ibs-primary" in text
    assert "What happened" in html


async def test_a_digest_is_posted_with_what_a_machine_needs() -> None:
    async with HttpServer() as server:
        transport = WebhookTransport(WebhookSpec(server.url()), {}, FakeClock(), ANYWHERE)
        await transport.attempt(message_of(stored(to_bytes(a_report())), SNAPSHOT))
        await transport.close()
        (request,) = server.requests
    body = json.loads(request.body)
    assert request.headers["webhook-id"] == "d-1"
    assert body["event_id"] == "digest-d-1"
    assert body["digest"]["lines"][0]["event_ids"] == ["evt-backup.failed-1"]


@pytest.mark.parametrize("kind", Kind)
def test_an_event_is_told_as_an_event_whatever_it_is_called(kind: Kind) -> None:
    told = event("notification.summary", 1, summary="900 events in one")
    message = message_of(stored(event_to_proto(told).SerializeToString(), kind), SNAPSHOT)
    assert message.event == told
    assert all(not each["period"] for each in message.reports.values())


class Untouched:
    """A transport that nothing may be given to."""

    concurrency = 1
    certificate_until = None

    async def attempt(self, message: Message) -> Outcome:
        raise AssertionError(message)

    async def test(self, message: Message, tell: Tell = untold) -> tuple[Stage, ...]:
        raise AssertionError(message)

    async def close(self) -> None:
        raise AssertionError


class Opened:
    """It is open for every target."""

    def concurrency(self, target: Target, snapshot: Snapshot) -> int:
        raise AssertionError(target, snapshot)

    @contextmanager
    def use(self, target: Target, snapshot: Snapshot) -> Iterator[Transport]:
        assert snapshot.targets[target.uid] is target
        yield Untouched()

    def retire(self, snapshot: Snapshot) -> None:
        raise AssertionError(snapshot)

    async def close(self) -> None:
        raise AssertionError


async def sent(body: bytes) -> Completion:
    outlook = Outlook()
    target = Target("chat", "t1", WebhookSpec("https://x"))
    outlook.snapshot = Snapshot(revision=1, targets={"t1": target})
    sender = Sender(outlook, Opened(), FakeClock(), lambda: 0.5)
    (done,) = await sender.send([stored(body)])
    return done


@pytest.mark.parametrize(
    "body",
    [b'{"notification.digest":{}}', b'{"notification.digest":', b'{"x":{}}', b"\xff\xff"],
    ids=["empty", "torn", "unknown", "binary"],
)
async def test_what_cannot_be_read_is_dead_at_once_and_logged(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    done = await sent(body)
    assert done.settlement.state is State.DEAD
    assert done.settlement.reason == OutcomeReason.INTERNAL
    assert "its event cannot be read" in caplog.text
