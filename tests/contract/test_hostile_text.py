"""Text that means harm, in every field, to a receiver that keeps the raw bytes: it arrives as text.

A loop goes through the corpus within each test, so a failure names the text in its first line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.hostile_text import HALF_A_PAIR, MARK, MEBIBYTE, TEXTS
from tests.support.http_server import HttpServer, Request
from tests.support.metric_book import MemoryBook
from tests.support.smtp_server import SmtpServer
from tests.support.transports import ANYWHERE, SENDER, StillClock, message

from ibs_notify.config.syntax import address_problem, header_name_problem, header_value_problem
from ibs_notify.delivery.transports.base import Message, Verdict
from ibs_notify.delivery.transports.build import build_transport
from ibs_notify.delivery.transports.mail_message import parse_address
from ibs_notify.delivery.transports.stages import AttemptFailed
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.target import (
    InfluxDbSpec,
    PushgatewaySpec,
    SmtpAuth,
    SmtpSpec,
    Target,
    TargetSpec,
    TlsMode,
    WebhookSpec,
)
from ibs_notify.domain.templates import NO_TEMPLATE_SET, Templates, TemplateSet

CORPUS = {**TEXTS, "half a pair": HALF_A_PAIR, "a mebibyte": MEBIBYTE[:32_768]}
GOOD = "ops@example.org"
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "In-Reply-To",
    "References",
    "X-IBS-Event-Id",
    "X-IBS-Severity",
    "MIME-Version",
    "Content-Type",
]
COMMAND = re.compile(
    r"EHLO [a-zA-Z0-9.\[\]:-]+|MAIL FROM:<[!-;=?-~]+>( SIZE=\d+)?( SMTPUTF8)?( BODY=8BITMIME)?"
    r"|RCPT TO:<[!-;=?-~]+>|DATA|RSET|QUIT"
)


def hostile(text: str, *recipients: str, delivery_id: str = "d1") -> Message:
    """A message whose event has ``text`` wherever an event has text."""
    texts: dict[str, Any] = dict.fromkeys(
        ("event_id", "subject", "summary", "task_id", "actor", "resource", "canonical_resource"),
        text,
    )
    return message(
        *(recipients or (GOOD,)),
        delivery_id=delivery_id,
        **texts,
        task_url=text,
        dedup_key=text,
        labels={text[:64] or "k": text},
        links={text[:64] or "k": text, "task_log": text},
        groups=(text[:64] or "g",),
    )


def corpus() -> Iterator[tuple[str, str]]:
    yield from CORPUS.items()


async def attempt(
    spec: TargetSpec, sent: Message, secrets: Mapping[str, str] = {}
) -> Verdict:  # nobody changes it
    transport = build_transport(
        Target("t", "u", spec),
        dict(secrets),
        InstallationSettings(),
        StillClock(),
        MemoryBook(),
        ANYWHERE,
    )
    try:
        return (await transport.attempt(sent)).verdict
    finally:
        await transport.close()


@dataclass(slots=True)
class RawSmtp:
    """Takes every mail, and keeps each connection's bytes."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    ended: list[asyncio.Event] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, ended = len(self.received), asyncio.Event()
        self.ended.append(ended)
        self.received.append(b"")
        writer.write(b"220 raw\r\n")
        in_data = False
        while line := await reader.readline():
            self.received[number] += line
            if in_data:
                in_data = line != b".\r\n"
                answer = b"" if in_data else b"250 ok\r\n"
            elif line.startswith(b"EHLO"):
                answer = b"250-raw\r\n250 SMTPUTF8\r\n"
            else:
                in_data = line == b"DATA\r\n"
                answer = b"354 go on\r\n" if in_data else b"250 ok\r\n"
            writer.write(answer)
        writer.close()
        ended.set()


@asynccontextmanager
async def raw_smtp() -> AsyncIterator[RawSmtp]:
    there = RawSmtp()
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    async with server:
        yield there
        for each in there.ended:
            await each.wait()


def mail_to(port: int, **changes: Any) -> SmtpSpec:
    return SmtpSpec("127.0.0.1", port, TlsMode.NONE, SmtpAuth.NONE, from_address=SENDER, **changes)


OWN = TemplateSet(
    Templates(
        subject="{{ event.summary }} {{ event.subject }}",
        text="{{ event.summary }}\n.\n{{ event.actor }}",
        html="<p title='{{ event.actor }}'>{{ event.summary }}</p>",
    ),
    Templates(),
)


@pytest.mark.parametrize("templates", [NO_TEMPLATE_SET, OWN], ids=["built-in", "own"])
async def test_a_mail_has_one_header_block_one_end_and_the_recipients_it_was_given(
    templates: TemplateSet,
) -> None:
    for name, text in corpus():
        async with raw_smtp() as there:
            verdict = await attempt(mail_to(there.port, templates=templates), hostile(text))
        assert verdict is Verdict.DELIVERED, name
        (wire,) = there.received
        head, mail = wire.split(b"DATA\r\n", 1)
        mail, rest = mail.split(b"\r\n.\r\n", 1)
        commands = head.decode("ascii").splitlines()
        assert commands[0].startswith("EHLO "), name
        assert commands[1].startswith(f"MAIL FROM:<{SENDER}>"), name
        assert commands[2:] == [f"RCPT TO:<{GOOD}>"], name
        assert rest in (b"", b"QUIT\r\n"), name
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wire), name
        assert max(map(len, wire.split(b"\r\n"))) <= 998, name
        assert wire.isascii(), name
        block, _, _ = mail.partition(b"\r\n\r\n")
        lines = [each for each in block.split(b"\r\n") if each[:1] not in (b" ", b"\t")]
        found = [each.partition(b":")[0].decode() for each in lines]
        topic = [] if text else ["In-Reply-To", "References"]
        assert found == [each for each in HEADERS if each not in topic], name


async def test_a_mail_reads_as_two_parts_with_the_text_in_both(tmp_path: object) -> None:
    for name, text in corpus():
        async with raw_smtp() as there:
            await attempt(mail_to(there.port), hostile(text))
        data = there.received[0].split(b"DATA\r\n", 1)[1].split(b"\r\n.\r\n", 1)[0]
        mail = message_from_bytes(data.replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        assert not mail.defects, name
        assert str(mail["To"]) == GOOD, name
        assert not set(str(mail["Subject"])) & set("\r\n\0\x1b\x85\u2028\u2029"), name
        parts = [part.get_content_type() for part in mail.iter_parts()]
        assert parts == ["text/plain", "text/html"], name
        html = str(list(mail.iter_parts())[1].get_content())
        assert "<script" not in html, name
        assert "<img" not in html, name
        assert 'href="javascript' not in html, name
        assert "\x1b" not in html, name


async def test_no_recipient_names_another_and_none_names_a_command() -> None:
    for name, text in corpus():
        async with SmtpServer() as server:
            await attempt(mail_to(server.port), hostile("x", GOOD, text))
            (session,) = server.sessions
        wrong = [each for each in session.commands if COMMAND.fullmatch(each) is None]
        assert not wrong, name
        named = [each for each in session.commands if each.startswith("RCPT")]
        assert named == [f"RCPT TO:<{each}>" for each in (GOOD, *_mailboxes(text))], name
        assert f"{MARK}@evil.example" not in str(session.commands), name


def _mailboxes(text: str) -> Sequence[str]:
    try:
        address = parse_address(text)
    except ValueError:
        return ()
    return (f"{address.username}@{address.domain}",)


async def test_a_sender_that_is_no_address_sends_nothing() -> None:
    for name, text in corpus():
        async with SmtpServer() as server:
            spec = SmtpSpec(
                "127.0.0.1", server.port, TlsMode.NONE, SmtpAuth.NONE, from_address=text
            )
            outcome = await attempt(spec, hostile("x"))
            mails, commands = server.mails, [c for s in server.sessions for c in s.commands]
        if _mailboxes(text) or not text:
            continue
        assert outcome is Verdict.RETRY, name
        assert not mails, name
        assert MARK not in str(commands), name


def test_config_takes_no_address_that_a_mail_could_not_carry() -> None:
    for name, text in corpus():
        for address in (text, f"{text}@example.org", f"a@{text}", f"{text} <a@example.org>"):
            if not address_problem(address):
                assert parse_address(address).addr_spec.count("@") == 1, name


def no_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


def document(request: Request) -> Any:
    return json.loads(request.body, object_pairs_hook=no_duplicates)


async def posted(spec_of: Callable[[HttpServer], TargetSpec], text: str, **secrets: str) -> Request:
    """The one request that came of a message with ``text``."""
    async with HttpServer(200, text="ok") as server:
        await attempt(spec_of(server), hostile(text), secrets)
        assert len(server.requests) == 1
        (request,) = server.requests
    return request


def names_of(request: Request) -> list[str]:
    return sorted(name.lower() for name in request.headers)


def as_utf8(text: str) -> str:
    return text.encode(errors="replace").decode()


async def test_the_standard_payload_holds_every_text_as_it_was() -> None:
    ordinary = names_of(await posted(lambda s: WebhookSpec(s.url()), "x"))
    for name, text in corpus():
        request = await posted(lambda s: WebhookSpec(s.url()), text)
        assert (request.method, request.path) == ("POST", "/hook"), name
        assert names_of(request) == ordinary, name
        payload = document(request)
        for key in ("subject", "summary", "actor", "resource", "task_id"):
            assert payload.get(key, "") in (text, as_utf8(text)), (name, key)
        assert payload["severity"] == "error", name
        assert MARK not in payload, name


JSON_BODY = (
    '{"severity": "{{ event.severity }}", "a": ["{{ event.summary }}", "x {{ event.actor }}"]}'
)


async def test_a_json_template_keeps_text_within_its_strings() -> None:
    for name, text in corpus():
        request = await posted(lambda s: WebhookSpec(s.url(), body_template=JSON_BODY), text)
        payload = document(request)
        assert list(payload) == ["severity", "a"], name
        assert payload["severity"] == "error", name
        assert payload["a"][0] in (text, as_utf8(text)), name
        assert len(payload["a"]) == 2, name


async def test_a_form_has_the_fields_of_its_template_and_no_more() -> None:
    body = "a={{ event.summary }}&b={{ event.actor }}"
    kind = "application/x-www-form-urlencoded"
    for name, text in corpus():
        request = await posted(
            lambda s: WebhookSpec(s.url(), body_template=body, content_type=kind), text
        )
        fields = parse_qs(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        assert fields.keys() == {"a", "b"}, name
        assert fields["a"] in ([text], [as_utf8(text)]), name


async def test_xml_stays_well_formed_with_the_elements_of_its_template() -> None:
    body = '<a b="{{ event.actor }}"><c>{{ event.summary }}</c></a>'
    for name, text in corpus():
        request = await posted(
            lambda s: WebhookSpec(s.url(), body_template=body, content_type="application/xml"), text
        )
        root = ElementTree.fromstring(request.body)
        assert [each.tag for each in root.iter()] == ["a", "c"], name
        assert root.keys() == ["b"], name


TWILIO: dict[str, Any] = {
    "account": "AC" + "0" * 32,
    "sender": "+15005550006",
    "recipient": "+491701234567",
}


@pytest.mark.parametrize("preset", Preset)
async def test_a_preset_sends_one_request_in_its_peers_language(preset: Preset) -> None:
    def spec(server: HttpServer) -> WebhookSpec:
        path = {Preset.NTFY: "/backups", Preset.PAGERDUTY: "", Preset.GOTIFY: ""}.get(preset, "/h")
        if preset is Preset.TWILIO_SMS:
            return WebhookSpec(server.url(""), preset=preset, **TWILIO)
        return WebhookSpec(server.url(path), preset=preset)

    ordinary = await posted(spec, "x", **{"webhook.token": "t0k3n"})
    linked = await posted(spec, "https://example.org/x", **{"webhook.token": "t0k3n"})
    for name, text in corpus():
        request = await posted(spec, text, **{"webhook.token": "t0k3n"})
        assert (request.method, request.path) == (ordinary.method, ordinary.path), name
        assert names_of(request) == names_of(ordinary), name
        if preset is Preset.TWILIO_SMS:
            fields = parse_qs(request.body.decode())
            assert fields.keys() == {"To", "From", "Body"}, name
            assert (fields["To"], fields["From"]) == ([TWILIO["recipient"]], [TWILIO["sender"]])
        else:
            usual = places(document(ordinary)) | places(document(linked))
            assert places(document(request)) <= usual, name


def places(value: Any, place: str = "") -> set[str]:
    """The keys of a document, each with where it is; those of labels are the emitter's."""
    if place.endswith(".labels"):
        return {place}
    if isinstance(value, dict):
        return {place}.union(*(places(v, f"{place}.{k}") for k, v in value.items()))
    if isinstance(value, list):
        return {place}.union(*(places(v, f"{place}[]") for v in value))
    return {place}


async def test_a_header_value_or_name_that_is_none_makes_no_request() -> None:
    for name, text in corpus():
        for header, value in (("X-Own", text), (text, "x")):
            unusual = bool(header_name_problem(header) or header_value_problem(value))
            async with HttpServer(200, text="ok") as server:
                spec = WebhookSpec(server.url(), headers=(header,))
                secrets = {f"webhook.headers[{header.lower()}]": value}
                try:
                    await attempt(spec, hostile("x"), secrets)
                except (InvalidArgument, AttemptFailed, KeyError):
                    assert unusual, name
                assert not any(
                    MARK.lower() in each.lower() for r in server.requests for each in r.headers
                ), name
                assert len(server.requests) <= 1, name


async def test_an_event_is_one_line_of_influxdb_with_the_tags_that_it_should_have() -> None:
    def spec(server: HttpServer) -> InfluxDbSpec:
        return InfluxDbSpec(server.url("").rstrip("/"), "org", "bucket")

    ordinary = lines_of(await posted(spec, "x", **{"influxdb.token": "t0k3n"}))
    for name, text in corpus():
        lines = lines_of(await posted(spec, text, **{"influxdb.token": "t0k3n"}))
        # Texts that a server might refuse travel apart from the count.
        assert len(lines) in (1, 2), name
        assert {each[0] for each in lines} == {"ibs_event"}, name
        assert set().union(*(each[1] for each in lines)) <= ordinary[0][1] | {"datastore"}, name
        assert set().union(*(each[2] for each in lines)) <= ordinary[0][2], name


def lines_of(request: Request) -> list[tuple[str, set[str], set[str]]]:
    """Measurement, tags and fields of each line, read as the line protocol says.

    A line may break within the quotes of a field's text, and nowhere else.
    """
    outside = re.sub(
        r'(?<==)"(?:[^"\\]|\\.)*"(?=[, ])', '""', request.body.decode(), flags=re.DOTALL
    )
    assert "\r" not in outside
    found = []
    for line in outside.removesuffix("\n").split("\n"):
        head, fields, time = re.split(r"(?<!\\) ", line)
        assert time.isdigit()
        measurement, *tags = re.split(r"(?<!\\),", head)
        names = {each.split("=")[0] for each in fields.split(",")}
        found.append((measurement, {each.split("=")[0] for each in tags}, names))
    return found


async def test_a_push_is_text_that_prometheus_reads_with_our_metrics_only() -> None:
    ordinary = await posted(gateway, "x")
    for name, text in corpus():
        request = await posted(gateway, text)
        assert request.path == ordinary.path, name
        assert names_of(request) == names_of(ordinary), name
        families = list(text_string_to_metric_families(request.body.decode()))
        assert families, name
        assert all(each.name.startswith("ibs_") for each in families), name
        labels = {label for each in families for s in each.samples for label in s.labels}
        assert labels <= {"type", "severity", "source", "datastore", "resource"}, name


def gateway(server: HttpServer, job: str = "ibs-notifications") -> PushgatewaySpec:
    return PushgatewaySpec(server.url("").rstrip("/"), job)


async def test_a_job_of_pushgateway_stays_one_segment_of_its_path() -> None:
    for name, text in corpus():
        job = text[:256]
        if not job.isprintable() or not job.strip():
            continue
        request = await posted(partial(gateway, job=job), "x")
        path = urlsplit(request.path).path
        assert path.startswith("/metrics/job"), name
        segments = path.removeprefix("/metrics/").split("/")
        key, value = segments[0], segments[1]
        said = (
            base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
            if key == "job@base64"
            else unquote(value)
        )
        assert said == job, name
