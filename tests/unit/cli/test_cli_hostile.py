"""A terminal shows what services answer, and obeys none of it, whatever the command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from tests.support.any_message import full_of
from tests.support.command_line import Cli
from tests.support.fake_services import FakeService
from tests.support.hostile_text import TEXTS

from ibs_notify.cli.errors import Exit
from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_service_pb2,
    router_service_pb2,
)

COMMANDS = [
    "target list",
    "target show chat",
    "target test chat",
    "target enable chat",
    "group list",
    "group show ops",
    "group status ops",
    "group target list ops",
    "group dedup preview ops",
    "settings show",
    "rule check *",
    "template list",
    "template preview --event e1 --target chat",
    "event list",
    "event show e1",
    "inbox list",
    "inbox show e1",
    "inbox count",
    "inbox read e1",
    "explain e1",
    "silence list",
    "silence show sil-1",
    "silence expire sil-1",
    "coverage",
    "digest list",
    "digest preview dig-1",
    "delivery list",
    "delivery show d1234567",
    "ledger verify",
    "status",
    "emit --type backup.failed",
]
ORDERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
CLOSEST = [
    "a header after CR",
    "a header after NEL",
    "a header after U+2028",
    "terminal orders",
    "backspaces",
    "bidi",
    "unseen",
    "every control",
    "a log line",
]


def answer(service: FakeService, descriptor: ServiceDescriptor, text: str) -> None:
    """Let every rpc answer with a message that is full of ``text``, and no further page."""
    for method in descriptor.methods:
        filled = full_of(method.output_type, text)
        if "next_page_token" in method.output_type.fields_by_name:
            filled.next_page_token = ""
        service.answers[method.name] = partial(once, filled) if method.server_streaming else filled


def once(answer: Message, _: object) -> Iterator[Message]:
    """A stream with one answer."""
    return iter([answer])


def answer_all(cli: Cli, text: str) -> None:
    answer(cli.config, config_service_pb2.DESCRIPTOR.services_by_name["ConfigService"], text)
    answer(cli.router, router_service_pb2.DESCRIPTOR.services_by_name["RouterService"], text)
    answer(cli.delivery, delivery_service_pb2.DESCRIPTOR.services_by_name["DeliveryService"], text)


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_that_a_service_answers_acts_on_the_terminal(cli: Cli, command: str) -> None:
    for name in CLOSEST:
        answer_all(cli, TEXTS[name])
        result = cli(*command.split())
        # Some look for the name that was given among those that were answered.
        assert result.exit_code in (Exit.OK, Exit.NOT_SO, Exit.NOT_FOUND, Exit.REFUSED), name
        assert not ORDERS.search(result.output), name


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("command", ["target show chat", "group show ops", "event list"])
def test_documents_escape_what_a_terminal_would_obey(cli: Cli, command: str, form: str) -> None:
    for name in CLOSEST:
        answer_all(cli, TEXTS[name])
        result = cli(*command.split(), "-o", form)
        assert not ORDERS.search(result.output), name


def test_an_error_is_shown_without_acting_either(cli: Cli) -> None:
    for name in CLOSEST:
        text = TEXTS[name]
        cli.config.answers["GetTarget"] = NotFound(Reason.TARGET_NOT_FOUND, text, advice=text)
        result = cli("target", "show", "chat")
        assert result.exit_code == Exit.NOT_FOUND
        assert not ORDERS.search(result.output), name
