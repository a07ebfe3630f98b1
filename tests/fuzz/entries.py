"""What is fuzzed: functions of bytes that raise where a promise is broken, each with examples.

The suite runs them with hypothesis (``tests/unit/test_fuzz_entries.py``), ``python -m tests.fuzz``
with atheris, which is led by what the code does.
"""

from __future__ import annotations

import contextlib
import fnmatch
import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs
from xml.etree import ElementTree

import click
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError
from yarl import URL

from ibs_notify.cli import params
from ibs_notify.config import syntax
from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import update_target
from ibs_notify.config.watch import read_token
from ibs_notify.delivery.presets.verdict import verdict_of
from ibs_notify.delivery.queue import outcome_journal
from ibs_notify.delivery.reports.codec import unpack
from ibs_notify.delivery.reports.digest_report import DigestReport
from ibs_notify.delivery.transports import influxdb_verdict
from ibs_notify.delivery.transports.mail_message import parse_address
from ibs_notify.delivery.transports.redact import Redactor
from ibs_notify.delivery.transports.smtp_connection import judge
from ibs_notify.delivery.transports.webhook_verdict import MOST_RETRY_AFTER, parse_retry_after
from ibs_notify.domain import bounds
from ibs_notify.domain.duration import parse_duration, show_duration
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, OutOfRange
from ibs_notify.domain.event import Event
from ibs_notify.domain.harmless import UNSAFE, harmless
from ibs_notify.domain.moves import origin_of
from ibs_notify.domain.preset import Preset
from ibs_notify.domain.resource import ancestors, canonical, is_under
from ibs_notify.domain.severity import Severity
from ibs_notify.router import event_place, limit
from ibs_notify.router.silence import Silence, faults_of, is_active, next_change, schedule_of
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.rpc.event_json import event_from_json, event_to_document
from ibs_notify.rpc.paging import read_page_number, read_page_token
from ibs_notify.rules.errors import RuleError
from ibs_notify.rules.evaluate import compile_rule, explain, matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.glob import compile_glob
from ibs_notify.rules.parse import parse
from ibs_notify.rules.warn import warnings
from ibs_notify.secrets import key_file
from ibs_notify.snapshot.state import WatchedState
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import event_context, standard_payload
from ibs_notify.templates.mail import MailTemplates
from ibs_notify.templates.run import MOST_RESULT
from ironcore.notification.v1 import config_service_pb2, event_pb2, target_pb2

NOW: Final = datetime(2026, 5, 21, 2, 15, tzinfo=UTC)
EVENT: Final = Event(
    "evt-1",
    "backup.failed",
    Severity.ERROR,
    NOW,
    subject='Backup "failed" <vm/1>',
    summary="chunk\r\nupload & more",
    actor="alice@polystack!backup-job",
    resource="ibs-primary:production/vm/1",
    canonical_resource="/datastore/ibs-primary/production/vm/1",
    labels={"site": "vienna"},
)


@dataclass(frozen=True, slots=True)
class Entry:
    """``run`` raises where a promise is broken; ``examples`` are where a fuzzer begins."""

    run: Callable[[bytes], None]
    examples: Sequence[bytes]


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _rule(data: bytes) -> None:
    """A rule, or a RuleError at a place in it; all evaluators agree; the text comes back."""
    try:
        rule = parse(_text(data))
    except RuleError:
        return
    warnings(rule)
    said = matches(rule, EVENT)
    assert compile_rule(rule)(EVENT) is said
    assert explain(rule, EVENT).holds is said
    assert parse(format_rule(rule)) == rule


def _glob(data: bytes) -> None:
    """Means what fnmatch means, where that is quick enough to ask."""
    pattern, _, text = _text(data).partition("\n")
    try:
        held = compile_glob(pattern)(text)
    except ValueError:
        return
    if pattern.count("*") <= 4 and len(text) <= 60:
        assert held is (re.match(fnmatch.translate(pattern), text) is not None)


def _resource(data: bytes) -> None:
    found = canonical(_text(data))
    assert canonical(found) == found
    if found.startswith("/"):
        assert all(is_under(found, each) for each in ancestors(found) if each)


def _mail_template(data: bytes) -> None:
    subject, _, rest = _text(data).partition("\0")
    text, _, html = rest.partition("\0")
    try:
        templates = MailTemplates.compile(subject or None, text or None, html or None)
        mail = templates.render(event_context(EVENT))
    except InvalidArgument:
        return
    assert len(mail.text) <= MOST_RESULT
    assert len(mail.html or "") <= MOST_RESULT
    assert "\n" not in mail.subject


def _body_template(data: bytes) -> None:
    """Every kind of body keeps the structure that its template has."""
    text = _text(data)
    for kind, reads in (
        ("application/json", json.loads),
        ("application/x-www-form-urlencoded", lambda body: parse_qs(body.decode("ascii"))),
        ("text/plain", bytes.decode),
        ("application/xml", bytes.decode),
    ):
        with contextlib.suppress(InvalidArgument):
            body = compile_body(text, kind).render(event_context(EVENT))
            assert len(body) <= 4 * MOST_RESULT
            reads(body)


def _xml_value(data: bytes) -> None:
    event = Event("e", "backup.failed", Severity.ERROR, NOW, summary=_text(data))
    body = compile_body("<a b='{{ event.summary }}'>{{ event.summary }}</a>", "text/xml")
    assert len(list(ElementTree.fromstring(body.render(event_context(event))))) == 0  # it is ours


def _event_json(data: bytes) -> None:
    try:
        message = event_from_json(data)
    except InvalidArgument:
        return
    event_to_document(message)
    _judge_event(message)


def _event_proto(data: bytes) -> None:
    try:
        message = event_pb2.Event.FromString(data)
    except DecodeError:
        return
    _judge_event(message)


def _judge_event(message: event_pb2.Event) -> None:
    """What has no faults can be told in every way."""
    event, faults = event_from_proto(message, NOW)
    if faults + bounds.faults_of(event):
        return
    json.dumps(standard_payload(event))
    context = event_context(event)
    assert "\n" not in MailTemplates.compile(None, None, None).render(context).subject
    compile_body("").render(context)


def _tokens(data: bytes) -> None:
    """A token of a page, of a watch, of a cursor: its place, or the error that says start anew."""
    text = _text(data)
    for read in (read_page_token, read_page_number):
        with contextlib.suppress(InvalidArgument):
            read("events", text)
    for place_of in (read_token, event_place.place_of, outcome_journal.place_of):
        with contextlib.suppress(OutOfRange):
            place_of(text)


def _update_mask(data: bytes) -> None:
    """Any mask over any target: faults, or a target of the same kind without secrets."""
    line, _, rest = data.partition(b"\n")
    try:
        request = target_pb2.Target.FromString(rest)
    except DecodeError:
        return
    stored = target_pb2.Target(name="chat")
    stored.webhook.url = "https://example.org/"
    stored.webhook.headers.add(name="X-Token", value_set=True)
    update = update_target(
        stored, request, FieldMask(paths=_text(line).split(",")), ["x-token"], Faults()
    )
    assert update.target.name == "chat"
    assert not any(each.value for each in update.target.webhook.headers)


def _times(data: bytes) -> None:
    """What people type for spans and moments."""
    text = _text(data)
    with contextlib.suppress(ValueError, OverflowError):
        span = parse_duration(text)
        assert parse_duration(show_duration(span)) == span
    for read in (params.duration, params.time, params.time_ahead, params.number_or_off):
        with contextlib.suppress(click.BadParameter):
            read(text)


def _address(data: bytes) -> None:
    """What Config takes, a mail can carry; and nothing in it can end a command or a header."""
    text = _text(data)
    try:
        address = parse_address(text)
    except ValueError:
        assert syntax.address_problem(text), text
        return
    if not syntax.address_problem(text):
        said = f"{address.username}@{address.domain}"
        assert re.fullmatch(r"[!-;=?-~]+", said), said
        assert not set(str(address)) & set("\r\n\0")


def _url(data: bytes) -> None:
    """Where Config thinks that a URL goes is where it is sent to."""
    text = _text(data)
    if syntax.url_problem(text):
        return
    url, origin = URL(text), origin_of(text)
    assert url.user is None
    assert (url.scheme, url.port) == (origin.scheme, origin.port)
    host = (url.raw_host or "").removesuffix(".").lower()
    if ":" in host:
        # The longer spellings of an address are other origins for us: a secret follows none.
        assert ipaddress.ip_address(host) == ipaddress.ip_address(origin.host)
        return
    assert host == origin.host.lower()


def _peers(data: bytes) -> None:
    """What HTTP peers say, in headers and bodies."""
    text = _text(data)
    wish = parse_retry_after(text, NOW)
    assert wish is None or timedelta(0) <= wish <= MOST_RETRY_AFTER
    for status in (200, 202, 400, 429, 500):
        influxdb_verdict.verdict_on(status, text, text, NOW)
        for preset in (None, *Preset):
            outcome = verdict_of(preset, status, text, text, "said", NOW)
            assert outcome.retry_after is None or outcome.retry_after <= MOST_RETRY_AFTER


def _redacted(data: bytes) -> None:
    """No secret comes through whatever is around it, nor any control character."""
    text = _text(data)
    secret = "c4nary-S3cret/+"
    said = Redactor([secret])(f"{text}{secret}{text}")
    assert secret not in said
    assert said.isprintable() or not set(said) & set("\r\n\0\x1b")
    assert UNSAFE.search(harmless(text)) is None


def _smtp_code(data: bytes) -> None:
    judge(int.from_bytes(data[:2]))


def _key_file(data: bytes) -> None:
    with contextlib.suppress(FailedPrecondition):
        assert key_file.parse(data, "the key file")


def _snapshot(data: bytes) -> None:
    """A kept configuration, damaged or of another release, is read as far as it can be."""
    try:
        kept = config_service_pb2.ConfigSnapshot.FromString(data)
    except DecodeError:
        return
    with contextlib.suppress(ValueError):
        WatchedState(kept).to_snapshot()


def _stored(data: bytes) -> None:
    """Blobs of the databases."""
    with contextlib.suppress(ValueError):
        past = limit.from_bytes(data)
        assert limit.from_bytes(limit.to_bytes(past)) == past
    with contextlib.suppress(ValueError):
        unpack("digest", DigestReport, data)


def _silence(data: bytes) -> None:
    """A silence without faults can be armed, and says when it changes."""
    weekly, _, zone = _text(data).partition("\n")
    silence = Silence("", "*", NOW, None, weekly, zone, "", "", NOW)
    if not faults_of(silence, NOW):
        schedule = schedule_of(silence)
        is_active(schedule, NOW)
        next_change(schedule, NOW)


ENTRIES: Final = {
    "rules": Entry(
        _rule,
        [b"*", b'severity >= error and not (type starts-with "backup." or labels.a in (b, c))'],
    ),
    "globs": Entry(_glob, [b"*!auto*[a-c]?\nalice!automation", b"**a*[!x]\n"]),
    "resources": Entry(_resource, [b"ibs-primary:production//vm/1/", b"//a//b/"]),
    "mail-templates": Entry(
        _mail_template,
        [b"{{ event.subject }}\0{% for r in rows %}{{ r.type|upper }}{% endfor %}\0<p>{{ a }}</p>"],
    ),
    "body-templates": Entry(
        _body_template,
        [b'{"a": "{{ event.summary|truncate(5) }}", "b": {{ event.labels|tojson }}}', b"a={{ x }}"],
    ),
    "xml-values": Entry(_xml_value, [b"a<b>&'\"]]>\x01"]),
    "event-json": Entry(
        _event_json,
        [b'{"type": "backup.failed", "severity": "error", "labels": {"a": "b"}, "groups": ["x"]}'],
    ),
    "event-protos": Entry(
        _event_proto,
        [
            event_pb2.Event(
                type="a.b", labels={"a": "b"}, severity=event_pb2.SEVERITY_ERROR
            ).SerializeToString()
        ],
    ),
    "tokens": Entry(_tokens, [b"WyJldmVudHMiLCAxMl0", b"12-1779329700000000", b"abcdef-12"]),
    "update-masks": Entry(_update_mask, [b"webhook.url,description\n\x12\x01a", b"webhook,smtp\n"]),
    "times": Entry(_times, [b"1h30m", b"2026-05-21T02:14:35Z", b"off", b"20260521T02+23:59"]),
    "addresses": Entry(_address, [b'"Doe, J." <a.b@example.org>', b"a@[::1]", b"J. D. <a@b>"]),
    "urls": Entry(_url, [b"https://example.org:443/a?b=c", b"http://[::1]:80/", b"http://1.2.3.4"]),
    "peers": Entry(
        _peers, [b"120", b"Thu, 21 May 2026 02:15:00 GMT", b'{"retry_after": 1.5, "status": "x"}']
    ),
    "redaction": Entry(_redacted, [b"c4nary https://a:b@c/d?e=f \x1b[0m"]),
    "smtp-codes": Entry(_smtp_code, [b"\x00\xfa"]),
    "key-files": Entry(
        _key_file,
        [b"ibs-notify-keys v1\nk1 " + b"A" * 43 + b"=\n", b"ibs-notify-keys v1\nk1 \x90=\n"],
    ),
    "snapshots": Entry(_snapshot, [b"\x08\x01\x12\x08\x0a\x06\x0a\x01a\x12\x01b\x1a\x03\x0a\x01g"]),
    "stored": Entry(_stored, [b"\x01\x05\x01", b'{"digest":{}}']),
    "silences": Entry(_silence, [b"mon-fri 22:00-06:00\nEurope/Vienna", b"sat 00:00-24:00\nUTC"]),
}
