"""A view of the inbox: an address, its filter, and the command that shows the same."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support.command_line import Cli

from ibs_notify.console.commands import events as command
from ibs_notify.console.events.view import View
from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.event_filter import COSTLY, countable
from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

NOW = datetime(2026, 5, 21, 22, 30, tzinfo=UTC)
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
    chosen = view(EVERYTHING).filter(NOW)
    assert {each.name for each, _ in chosen.ListFields()} == {
        each.name for each in pb.EventFilter.DESCRIPTOR.fields
    }
    assert [*chosen.sources] == ["backup", "sync"]
    assert chosen.min_severity == event_pb2.SEVERITY_ERROR
    assert [*chosen.dispositions] == [disposition_pb2.DISPOSITION_STATE_HANDED_OFF]


def test_commas_part_values_and_blanks_are_nothing() -> None:
    chosen = view("source=backup,+sync,,&text=+&type=").filter(NOW)
    assert [*chosen.sources] == ["backup", "sync"]
    assert not chosen.text
    assert not chosen.types


def test_the_archived_are_left_out_unless_asked_for() -> None:
    assert [*view("").filter(NOW).inbox_states] == [pb.INBOX_STATE_UNREAD, pb.INBOX_STATE_READ]
    assert [*view("state=archived").filter(NOW).inbox_states] == [pb.INBOX_STATE_ARCHIVED]
    assert not view("state=every").filter(NOW).inbox_states


def test_a_time_without_zone_is_of_the_installation() -> None:
    chosen = view("after=2026-05-21T02:00").filter(NOW, "Europe/Vienna")
    assert chosen.after.ToJsonString() == "2026-05-21T00:00:00Z"


def test_every_fault_is_named_at_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        view("severity=bad&after=soon&disposition=lost&state=gone").filter(NOW)
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
    part = countable(view(EVERYTHING).filter(NOW))
    assert not {each.name for each, _ in part.ListFields()} & set(COSTLY)
    assert part.resource == "tank:vm/1"


@pytest.mark.parametrize(
    "query", ["", "state=unread", "state=archived", "state=every", "severity=info", EVERYTHING]
)
@pytest.mark.parametrize("state", ["", "&state=every"])
def test_the_command_asks_for_what_the_page_asks_for(cli: Cli, query: str, state: str) -> None:
    chosen = view(query + state).filter(NOW)
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


def test_a_severity_is_meant_alone_or_with_the_worse_ones() -> None:
    assert not view("severity=info").filter(NOW).rule
    alone = view("severity=only-info").filter(NOW)
    assert (alone.min_severity, alone.rule) == (event_pb2.SEVERITY_INFO, "severity = info")
    both = view("severity=only-info&rule=actor+%3D+a+or+actor+%3D+b").filter(NOW)
    assert both.rule.split("\n") == ["severity = info", "and (", "actor = a or actor = b", ")"]
    assert not view("severity=only-critical").filter(NOW).rule
    words = [
        view(f"severity={each}").chips()[0].text for each in ("error", "only-error", "critical")
    ]
    assert words == ["error and worse", "error only", "critical"]


def test_the_address_has_the_name_of_the_api_and_the_chip_what_it_means() -> None:
    (chip,) = view("disposition=coalesced").chips()
    assert (chip.title, chip.text) == ("what became of it", "sent by another group")
    assert view("disposition=coalesced").address() == "/inbox?disposition=coalesced"


@pytest.mark.parametrize(("query", "least"), [
    ("", 0),
    ("severity=error", Severity.ERROR),
    ("severity=only-info", Severity.INFO),
    ("severity=x", 0),
])  # fmt: skip
def test_which_counts_are_of_what_is_shown(query: str, least: int) -> None:
    assert view(query).least == least


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("today", "2026-05-21T22:00:00Z"),
        ("Yesterday", "2026-05-20T22:00:00Z"),
        ("2 h ago", "2026-05-21T20:30:00Z"),
        ("30min", "2026-05-21T22:00:00Z"),
        ("7 days ago", "2026-05-14T22:30:00Z"),
        ("2026-05-20", "2026-05-19T22:00:00Z"),
    ],
)
def test_times_are_understood_as_people_say_them(said: str, meant: str) -> None:
    chosen = View({"after": (said,)}).filter(NOW, "Europe/Vienna")
    assert chosen.after.ToJsonString() == meant
    fixed = View({"after": (said,)}).at(NOW, "Europe/Vienna")
    assert fixed.filter(NOW.replace(day=29), "Europe/Vienna").after == chosen.after


@pytest.mark.parametrize("said", ["soon", "2 fortnights ago", "999999 w ago", "h ago"])
def test_what_is_no_time_is_a_fault(said: str) -> None:
    with pytest.raises(InvalidArgument):
        View({"after": (said,)}).filter(NOW)
