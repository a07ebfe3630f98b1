"""A view of the inbox: an address, its filter, and the command that shows the same."""

from __future__ import annotations

import re
import shlex
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import events as command
from ibs_notify.console.inbox_view import View
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.rpc.event_filter import COSTLY, countable
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

EVERYTHING = (
    "source=backup&source=sync&type=backup.failed&severity=error&resource=tank%3Avm%2F1"
    "&task=UPID%3Apve&actor=alice%40x&after=2026-05-21T02%3A14%3A35Z&before=2026-05-22T00%3A00"
    "&rule=severity+%3E%3D+error&group=ops&disposition=handed-off&unmatched=yes"
    "&text=vm%2F1%20%27quoted%27&collapsed_into=evt-1"
)


def view(address: str) -> View:
    return View.of(parse_qsl(urlsplit(address).query or address))


def test_an_address_gives_the_view_that_gives_the_address() -> None:
    first = view(EVERYTHING)
    assert view(first.address()) == first


def test_every_condition_of_the_api_can_be_asked_for() -> None:
    chosen = view(EVERYTHING).filter()
    assert {each.name for each, _ in chosen.ListFields()} == {
        each.name for each in pb.EventFilter.DESCRIPTOR.fields
    }
    assert [*chosen.sources] == ["backup", "sync"]
    assert chosen.min_severity == event_pb2.SEVERITY_ERROR
    assert [*chosen.dispositions] == [disposition_pb2.DISPOSITION_STATE_HANDED_OFF]


def test_commas_part_values_and_blanks_are_nothing() -> None:
    chosen = view("source=backup,+sync,,&text=+&type=").filter()
    assert [*chosen.sources] == ["backup", "sync"]
    assert not chosen.text
    assert not chosen.types


def test_the_archived_are_left_out_unless_asked_for() -> None:
    assert [*view("").filter().inbox_states] == [pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ]
    assert [*view("state=archived").filter().inbox_states] == [pb.INBOX_STATE_ARCHIVED]
    assert not view("state=every").filter().inbox_states


def test_a_time_without_zone_is_of_the_installation() -> None:
    chosen = view("after=2026-05-21T02:00").filter("Europe/Vienna")
    assert chosen.after.ToJsonString() == "2026-05-21T00:00:00Z"


def test_every_fault_is_named_at_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        view("severity=bad&after=soon&disposition=lost&state=gone").filter()
    assert {each.path for each in caught.value.violations} == {
        "filter.min_severity",
        "filter.after",
        "filter.dispositions",
        "filter.inbox_states",
    }


def test_a_chip_removes_its_own_condition_and_no_other() -> None:
    chips = {chip.value: chip.without for chip in view("source=backup&source=sync&text=vm").chips()}
    assert chips == {
        "backup": "/inbox?source=sync&text=vm",
        "sync": "/inbox?source=backup&text=vm",
        "vm": "/inbox?source=backup&source=sync",
    }


def test_what_lies_in_the_past_is_not_live() -> None:
    assert view("severity=error").is_live
    assert not view("before=2026-05-21T00:00Z").is_live
    assert not view("state=archived").is_live


def test_counts_are_asked_for_without_what_takes_a_look_at_each() -> None:
    part = countable(view(EVERYTHING).filter())
    assert not {each.name for each, _ in part.ListFields()} & set(COSTLY)
    assert part.resource == "tank:vm/1"


@pytest.mark.parametrize(
    "query", ["", "state=unread", "state=archived", "state=every", "severity=info", EVERYTHING]
)
@pytest.mark.parametrize("state", ["", "&state=every"])
def test_the_command_asks_for_what_the_page_asks_for(cli: Cli, query: str, state: str) -> None:
    chosen = view(query + state).filter()
    words = shlex.split(re.sub(r"\\\n", " ", command.listing(chosen)))
    assert words[:2] == ["ironcore-backup", "notification"]
    result = cli(*words[2:])
    assert result.exit_code == 0, result.output
    (request,) = cli.router.received("ListEvents")
    assert request.filter == chosen


def test_the_command_asks_why(cli: Cli) -> None:
    for target in ("", "chat ops"):
        cli.router.reset()
        words = shlex.split(command.explaining("it's/1", target).replace("\\\n", " "))
        result = cli(*words[2:])
        assert result.exit_code == 0, result.output
        (request,) = cli.router.received("Explain")
        assert request == pb.ExplainRequest(event_id="it's/1", target=target)
