"""The inbox on the command line: what is unread, and marking it."""

from __future__ import annotations

import json
import shlex

import pytest
from tests.support.command_line import Cli

from ironcore.notification.v1 import disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

UNREAD, READ, ARCHIVED = (
    pb.INBOX_STATE_UNREAD,
    pb.INBOX_STATE_READ,
    pb.INBOX_STATE_ARCHIVED,
)
EVERY_FILTER = shlex.split(
    "--source backup --type backup.failed --min-severity error --resource a:b --task-id t "
    "--actor a --after 2026-05-21T00:00:00Z --before 2026-05-22T00:00:00Z --rule * --group g "
    "--disposition silenced --disposition handed-off --unmatched --text vm --collapsed-into e9"
)


def every_filter() -> pb.EventFilter:
    chosen = pb.EventFilter(
        sources=["backup"],
        types=["backup.failed"],
        min_severity=event_pb2.SEVERITY_ERROR,
        resource="a:b",
        task_id="t",
        actor="a",
        rule="*",
        groups=["g"],
        dispositions=[
            disposition_pb2.DISPOSITION_STATE_SILENCED,
            disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
        ],
        unmatched=True,
        text="vm",
        collapsed_into="e9",
    )
    chosen.after.FromJsonString("2026-05-21T00:00:00Z")
    chosen.before.FromJsonString("2026-05-22T00:00:00Z")
    return chosen


def count_is(cli: Cli, *counts: int, newest: int = 40) -> None:
    cli.router.answers["CountEvents"] = pb.CountEventsResponse(
        counts=[
            pb.SeverityCount(severity=event_pb2.SEVERITY_ERROR, count=each, unread=each)
            for each in counts
        ],
        newest_sequence=newest,
    )
    cli.router.answers["MarkEvents"] = lambda request: pb.MarkEventsResponse(
        count=len(request.event_ids) or sum(counts)
    )


def test_events_and_the_inbox_take_the_same_filters(cli: Cli) -> None:
    assert cli("event", "list", *EVERY_FILTER).exit_code == 0
    assert cli("inbox", "list", *EVERY_FILTER).exit_code == 0

    events, inbox = (each.filter for each in cli.router.received("ListEvents"))
    assert events == every_filter()
    assert list(inbox.inbox_states) == [UNREAD]
    inbox.ClearField("inbox_states")
    assert inbox == every_filter()


@pytest.mark.parametrize(
    ("flags", "states"),
    [
        ("", [UNREAD]),
        ("--unread", [UNREAD]),
        ("--all", [UNREAD, READ]),
        ("--archived", [ARCHIVED]),
        ("--unread --archived", [UNREAD, ARCHIVED]),
        ("--all --archived", [UNREAD, READ, ARCHIVED]),
    ],
)
def test_the_flags_choose_among_the_marks(
    cli: Cli, flags: str, states: list[pb.InboxState.ValueType]
) -> None:
    assert cli("inbox", "list", *flags.split()).exit_code == 0

    assert list(cli.router.received("ListEvents")[0].filter.inbox_states) == states


def test_a_list_of_several_marks_says_which(cli: Cli) -> None:
    cli.router.answers["ListEvents"] = pb.ListEventsResponse(
        events=[pb.EventRecord(inbox_state=READ), pb.EventRecord(inbox_state=UNREAD)]
    )

    rows = cli("inbox", "list", "--all").stdout.splitlines()

    assert [row.split()[0] for row in rows if "inbox only" in row] == ["read", "unread"]
    assert "Mark" not in cli("inbox", "list").stdout


def test_an_inbox_that_was_read_says_so(cli: Cli) -> None:
    assert cli("inbox", "list").stdout == "nothing unread\n"


@pytest.mark.parametrize(
    ("state", "flags", "marked"),
    [(UNREAD, (), True), (UNREAD, ("--keep-unread",), False), (ARCHIVED, (), False)],
)
def test_who_looks_at_an_unread_event_has_read_it(
    cli: Cli, state: pb.InboxState.ValueType, flags: tuple[str, ...], marked: bool
) -> None:
    cli.router.answers["GetEvent"] = pb.GetEventResponse(event=pb.EventRecord(inbox_state=state))

    assert cli("inbox", "show", "e1", *flags).exit_code == 0

    expected = [pb.MarkEventsRequest(event_ids=["e1"], state=READ)] if marked else []
    assert cli.router.received("MarkEvents") == expected


@pytest.mark.parametrize(
    ("verb", "state"), [("read", READ), ("unread", UNREAD), ("archive", ARCHIVED)]
)
def test_events_are_marked_by_their_ids(
    cli: Cli, verb: str, state: pb.InboxState.ValueType
) -> None:
    count_is(cli)

    result = cli("inbox", verb, "e1", "e2")

    assert result.stdout.startswith("2 events marked ")
    assert cli.router.received("MarkEvents") == [
        pb.MarkEventsRequest(event_ids=["e1", "e2"], state=state)
    ]
    assert cli.router.calls[0].metadata["ibs-user"] == "alice"


def test_an_id_of_no_event_is_an_error_and_one_among_others_a_warning(cli: Cli) -> None:
    cli.router.answers["MarkEvents"] = pb.MarkEventsResponse(unknown_count=1)
    alone, together = cli("inbox", "read", "nope", "nope"), cli("inbox", "read", "e1", "nope")

    assert (alone.exit_code, together.exit_code) == (3, 0)
    assert "there is no event 'nope'" in alone.stderr
    assert together.stderr == "warning: 1 of 2 ids are of no event that there is\n"


def test_many_ids_go_in_several_calls(cli: Cli) -> None:
    count_is(cli)

    result = cli("inbox", "read", *(f"e{number}" for number in range(1500)))

    assert result.stdout == "1,500 events marked read\n"
    assert [len(each.event_ids) for each in cli.router.received("MarkEvents")] == [1000, 500]


def test_all_is_what_there_was_when_it_was_counted(cli: Cli) -> None:
    count_is(cli, 1, newest=40)

    result = cli("inbox", "read", "--all", "--source", "backup")

    assert result.stdout == "1 event marked read\n"
    expected = pb.EventFilter(sources=["backup"], inbox_states=[UNREAD])
    assert cli.router.received("CountEvents")[0].filter == expected
    assert cli.router.received("MarkEvents") == [
        pb.MarkEventsRequest(filter=expected, up_to_sequence=40, state=READ)
    ]


def test_nothing_unread_is_not_marked(cli: Cli) -> None:
    count_is(cli)

    assert cli("inbox", "read", "--all").stdout == "nothing to mark read\n"
    assert cli.router.received("MarkEvents") == []


def test_more_than_one_needs_yes_where_nobody_can_be_asked(cli: Cli) -> None:
    count_is(cli, 1200, 34)

    result = cli("inbox", "archive", "--all")

    assert result.exit_code == 2
    assert "1,234 events would be marked archived: confirm it with --yes" in result.stderr
    assert cli.router.received("MarkEvents") == []
    assert cli("inbox", "archive", "--all", "--yes").stdout == "1,234 events marked archived\n"


@pytest.mark.parametrize(("answer", "code", "calls"), [("y\n", 0, 1), ("n\n", 130, 0)])
def test_somebody_at_a_terminal_is_asked_before_all_is_read(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, calls: int
) -> None:
    monkeypatch.setattr("ibs_notify.cli.confirm.at_terminal", lambda: True)
    count_is(cli, 12)

    result = cli("inbox", "read", "--all", input=answer)

    assert result.exit_code == code
    assert len(cli.router.received("MarkEvents")) == calls


def test_a_filter_that_cannot_be_counted_is_still_the_one_that_marks(cli: Cli) -> None:
    count_is(cli, 12)

    result = cli("inbox", "read", "--all", "--text", "vm", "--actor", "a")

    assert "those that match of 12 events would be marked read" in result.stderr
    assert cli("inbox", "read", "--all", "--text", "vm", "--actor", "a", "--yes").exit_code == 0
    assert cli.router.received("CountEvents")[0].filter == pb.EventFilter(
        actor="a", inbox_states=[UNREAD]
    )
    assert cli.router.received("MarkEvents")[0].filter == pb.EventFilter(
        actor="a", text="vm", inbox_states=[UNREAD]
    )


@pytest.mark.parametrize("line", ["", "--source backup", "e1 --all", "e1 --source backup"])
def test_what_is_to_be_marked_is_said_in_one_way(cli: Cli, line: str) -> None:
    assert cli("inbox", "read", *line.split()).exit_code == 2
    assert cli.router.calls == []


@pytest.mark.parametrize("flag", ["--resource", "--task-id", "--text", "--collapsed-into"])
def test_an_empty_filter_does_not_mean_every_event(cli: Cli, flag: str) -> None:
    result = cli("inbox", "archive", "--all", "--yes", flag, "")

    assert result.exit_code == 2
    assert f"{flag} is empty" in result.stderr
    assert cli.router.calls == []


def test_what_was_marked_can_be_read_by_programs(cli: Cli) -> None:
    count_is(cli)

    shown = json.loads(cli("inbox", "unread", "e1", "-o", "json").stdout)

    assert shown == {"count": 1, "state": "unread"}


def test_the_inbox_is_counted_by_severity_with_a_total(cli: Cli) -> None:
    cli.router.answers["CountEvents"] = pb.CountEventsResponse(
        counts=[
            pb.SeverityCount(severity=event_pb2.SEVERITY_ERROR, count=3, unread=2),
            pb.SeverityCount(severity=event_pb2.SEVERITY_INFO, count=1200, unread=0),
        ]
    )

    rows = [row.split() for row in cli("inbox", "count", "--actor", "a").stdout.splitlines()]

    assert rows[-3:] == [["error", "3", "2"], ["info", "1,200", "0"], ["total", "1,203", "2"]]
    assert cli.router.received("CountEvents")[0].filter == pb.EventFilter(
        actor="a", inbox_states=[UNREAD, READ]
    )


def test_what_cannot_be_counted_is_no_flag_of_count(cli: Cli) -> None:
    assert cli("inbox", "count", "--text", "vm").exit_code == 2
