"""Emitting events on the command line, and looking at them."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from tests.support.command_line import Cli

from ibs_notify.cli.emit_input import chunks
from ibs_notify.domain.errors import Reason, Unavailable
from ironcore.notification.v1 import delivery_pb2, delivery_service_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

READY = disposition_pb2.Disposition(
    target="ops-smtp", group="ops-team", state=disposition_pb2.DISPOSITION_STATE_READY
)
HANDED_OFF = disposition_pb2.Disposition(
    target="ops-smtp",
    group="ops-team",
    state=disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
    delivery_id="d" * 32,
)


def _answer_each(request: Any) -> pb.EmitStreamResponse:
    return pb.EmitStreamResponse(
        results=[
            pb.EmitResult(accepted=pb.EmitResponse(event_id=each.event_id))
            if each.type
            else pb.EmitResult(
                error=pb.EmitError(faults=[pb.EventFault(path="type", description="is missing")])
            )
            for each in request.events
        ]
    )


def _delivery(cli: Cli, state: delivery_pb2.DeliveryState.ValueType, reason: str = "") -> None:
    """The event's only delivery."""
    record = pb.EventRecord(dispositions=[HANDED_OFF])
    cli.router.answers["GetEvent"] = pb.GetEventResponse(event=record)
    delivery = delivery_pb2.Delivery(
        delivery_id="d" * 32, target="ops-smtp", group="ops-team", state=state, reason=reason
    )
    cli.delivery.answers["ListDeliveries"] = delivery_service_pb2.ListDeliveriesResponse(
        deliveries=[delivery]
    )


def test_an_event_is_made_of_flags(cli: Cli) -> None:
    result = cli(
        "emit",
        "--type", "backup.failed",
        "--severity", "Error",
        "--subject", "s",
        "--resource", "a:b",
        "--timestamp", "2026-05-21T02:14:35Z",
        "--label", "site=a=b",
        "--link", "wiki=https://w",
        "--group", "ops-team",
        "--event-id", "e1",
    )  # fmt: skip

    assert result.exit_code == 0
    expected = event_pb2.Event(
        event_id="e1",
        type="backup.failed",
        severity=event_pb2.SEVERITY_ERROR,
        subject="s",
        resource="a:b",
        labels={"site": "a=b"},
        links={"wiki": "https://w"},
        groups=["ops-team"],
    )
    expected.timestamp.FromJsonString("2026-05-21T02:14:35Z")
    assert cli.router.received("Emit")[0].event == expected


def test_the_answer_says_who_will_hear_of_it(cli: Cli) -> None:
    cli.router.answers["Emit"] = pb.EmitResponse(
        event_id="evt-1", dispositions=[READY], warnings=["no group 'x'"]
    )

    result = cli("emit", "--type", "backup.failed")

    assert result.stdout == "evt-1 accepted: ops-smtp via ops-team (to be released)\n"
    assert result.stderr == "warning: no group 'x'\n"


def test_the_answer_says_when_only_the_inbox_has_it(cli: Cli) -> None:
    cli.router.answers["Emit"] = pb.EmitResponse(event_id="evt-1", duplicate=True)

    result = cli("emit", "--type", "backup.failed")

    assert result.stdout == "evt-1 was accepted before: only the inbox has it\n"


def test_flags_win_over_the_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"type": "backup.failed", "severity": "critical", "subject": "old"}')

    assert cli("emit", "--file", str(path), "--subject", "new").exit_code == 0

    event = cli.router.received("Emit")[0].event
    assert (event.type, event.subject) == ("backup.failed", "new")
    assert event.severity == event_pb2.SEVERITY_CRITICAL


def test_a_file_that_is_no_json_is_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"type": "backup.failed",}')

    result = cli("emit", "--file", str(path))

    assert result.exit_code == 4
    assert result.stderr.startswith(f"error: {path}: not JSON: ")


def test_an_event_without_a_type_is_a_usage_error(cli: Cli) -> None:
    assert cli("emit", "--subject", "s").exit_code == 2
    assert cli.router.calls == []


def test_every_line_of_standard_input_gets_an_answer_in_order(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each
    lines = '{"type": "a.b", "event_id": "e1"}\n\nnot json\n{"severity": "info"}\n'

    result = cli("emit", "--stdin", input=lines)

    assert result.exit_code == 4
    first, second, third = result.stdout.splitlines()
    assert first == "e1 accepted: only the inbox has it"
    assert second.startswith("line 3 refused: not JSON")
    assert third == "line 4 refused: type: is missing"
    assert result.stderr == "1 accepted, 0 accepted before, 2 refused\n"


def test_answers_for_programs_are_a_document_a_line(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each
    lines = '{"type": "a.b", "event_id": "e1"}\n{"type": "a.b", "event_id": "e2"}\n'

    as_json = cli("emit", "--stdin", "-o", "json", input=lines).stdout.splitlines()
    as_yaml = list(yaml.safe_load_all(cli("emit", "--stdin", "-o", "yaml", input=lines).stdout))

    assert [json.loads(each)["accepted"]["event_id"] for each in as_json] == ["e1", "e2"]
    assert [json.loads(each) for each in as_json] == as_yaml


def test_events_go_in_messages_of_at_most_a_thousand(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each
    lines = '{"type": "a.b"}\n' * 2500

    assert cli("emit", "--stdin", input=lines).exit_code == 0

    messages = cli.router.received("EmitStream")
    assert sum(len(each.events) for each in messages) == 2500
    assert max(len(each.events) for each in messages) == 1000


def test_every_event_has_an_id_of_its_own_before_it_is_sent(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each

    cli("emit", "--stdin", input='{"type": "a.b"}\n' * 100 + '{"type": "a.b", "event_id": "e1"}\n')

    ids = [
        each.event_id for message in cli.router.received("EmitStream") for each in message.events
    ]
    assert len(set(ids)) == 101
    assert ids[-1] == "e1"


def test_a_service_that_cannot_be_reached_at_the_start_is_an_error_at_once(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_ROUTER_ADDRESS", "127.0.0.1:1")

    result = cli("emit", "--stdin", input='{"type": "a.b"}\n')

    assert result.exit_code == 5
    assert "line 1 and what comes after it have no answer\n" in result.stderr
    assert "error: Router at 127.0.0.1:1 cannot be reached" in result.stderr


def _fail_after(cli: Cli, answered: int, times: int) -> None:
    """``answered`` messages get an answer, ``times`` more break the stream, and so on."""
    turns = cycle([True] * answered + [False] * times)

    def answer(request: Any) -> pb.EmitStreamResponse | Unavailable:
        if next(turns):
            return _answer_each(request)
        return Unavailable(Reason.STORAGE_UNAVAILABLE, "locked", retry_after=timedelta(0))

    cli.router.answers["EmitStream"] = answer


def test_a_service_that_stays_away_midway_ends_with_what_is_stored(cli: Cli) -> None:
    _fail_after(cli, 1, 1000)

    result = cli("emit", "--stdin", "--timeout", "0", input='{"type": "a.b"}\n' * 1001)

    assert result.exit_code == 5
    assert (
        "1,000 accepted, 0 accepted before, 0 refused; line 1001 and what comes after it have no "
        "answer\nerror: locked" in result.stderr
    )


def test_a_stream_that_breaks_is_begun_again_with_the_same_ids(cli: Cli) -> None:
    _fail_after(cli, 2, 3)
    lines = [json.dumps({"type": "a.b", "subject": str(n)}) for n in range(7000)]

    result = cli("emit", "--stdin", "-o", "json", input="\n".join(lines))

    assert result.exit_code == 0
    answers = [json.loads(each) for each in result.stdout.splitlines()]
    assert [each["line"] for each in answers] == list(range(1, 7001))
    sent: dict[str, str] = {}
    for message in cli.router.received("EmitStream"):
        for event in message.events:
            assert sent.setdefault(event.subject, event.event_id) == event.event_id
    assert [each["accepted"]["event_id"] for each in answers] == list(sent.values())
    assert "note: locked; trying again\nnote: the Router answers again\n" in result.stderr


def test_answers_may_come_many_or_few_to_a_message(cli: Cli) -> None:
    kept: list[pb.EmitResult] = []

    def answer(request: Any) -> pb.EmitStreamResponse:
        kept.extend(_answer_each(request).results)
        # The last message has one event.
        give = len(kept) if len(request.events) == 1 else len(kept) // 2
        given, kept[:give] = kept[:give], []
        return pb.EmitStreamResponse(results=given)

    cli.router.answers["EmitStream"] = answer

    result = cli("emit", "--stdin", "-o", "json", input='{"type": "a.b"}\n' * 3001)

    assert result.exit_code == 0
    assert [json.loads(each)["line"] for each in result.stdout.splitlines()] == list(range(1, 3002))


def test_a_wrong_line_between_two_events_keeps_its_place(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each
    good = '{"type": "a.b"}\n'

    result = cli("emit", "--stdin", "-o", "json", input=f"x\n{good}y\n{good}{good}z\n")

    answers = [json.loads(each) for each in result.stdout.splitlines()]
    assert [(each["line"], "error" in each) for each in answers] == [
        (1, True),
        (2, False),
        (3, True),
        (4, False),
        (5, False),
        (6, True),
    ]
    assert result.exit_code == 4


def test_a_line_without_an_end_is_refused_in_bounded_memory(cli: Cli) -> None:
    cli.router.answers["EmitStream"] = _answer_each

    result = cli("emit", "--stdin", input=b"x" * 9_000_000 + b'\n{"type": "a.b"}\n')

    first, second = result.stdout.splitlines()
    assert first == "line 1 refused: the line is over 4194304 bytes"
    assert "accepted" in second
    assert result.exit_code == 4


def test_a_message_stays_under_the_size_that_the_router_takes() -> None:
    line = json.dumps({"type": "a.b", "summary": "x" * 32_000}).encode() + b"\n"

    found = list(chunks(io.BytesIO(line * 300), lambda: "id"))

    assert sum(len(each) for each in found) == 300
    for chunk in found:
        assert sum(line.event.ByteSize() for line in chunk if line.event) <= 3 * 1024 * 1024


def test_lines_that_arrived_are_sent_without_waiting_for_more() -> None:
    class Trickle(io.BytesIO):
        """A pipe whose writer pauses after each line."""

        def read1(self, _size: int | None = -1) -> bytes:
            return self.readline()

    found = chunks(Trickle(b'{"type": "a.b"}\n{"type": "c.d"}'), lambda: "id")

    assert [len(each) for each in found] == [1, 1]


def _on_a_terminal(cli: Cli, *, answers_too: bool) -> tuple[str, bytes]:
    """What a terminal saw of emitting two thousand events, and what standard output got."""
    cli.router.answers["EmitStream"] = _answer_each
    ours, theirs = pty.openpty()
    seen = bytearray()

    def watch() -> None:
        # Linux says EIO once the other end is closed.
        with suppress(OSError):
            while data := os.read(ours, 4096):
                seen.extend(data)

    watching = Thread(target=watch)
    watching.start()
    done = subprocess.run(
        [sys.executable, "-m", "ibs_notify.cli", "notification", "emit", "--stdin"],
        input=b'{"type": "a.b"}\n' * 2000 + b"x\n",
        stdout=theirs if answers_too else subprocess.PIPE,
        stderr=theirs,
        check=False,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    watching.join()
    os.close(ours)
    assert done.returncode == 4
    return seen.decode(), done.stdout or b""


def test_a_terminal_sees_how_it_goes(cli: Cli) -> None:
    seen, printed = _on_a_terminal(cli, answers_too=False)

    assert re.search(r"[\d,]+ answered.*/s", seen)
    assert "2,000 accepted, 0 accepted before, 1 refused" in seen
    assert len(printed.splitlines()) == 2001
    assert b"\x1b" not in printed


def test_a_terminal_may_have_the_answers_too(cli: Cli) -> None:
    seen, _ = _on_a_terminal(cli, answers_too=True)

    assert len(re.findall(r" accepted: only the inbox has it", seen)) == 2000
    assert "line 2001 refused: not JSON" in seen


def test_standard_input_takes_no_flags_of_an_event(cli: Cli) -> None:
    assert cli("emit", "--stdin", "--type", "a.b", input="").exit_code == 2


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (delivery_pb2.DELIVERY_STATE_DELIVERED, 0),
        (delivery_pb2.DELIVERY_STATE_DIGEST_OPEN, 0),
        (delivery_pb2.DELIVERY_STATE_DEAD, 1),
        (delivery_pb2.DELIVERY_STATE_CANCELLED, 1),
    ],
)
def test_wait_follows_the_deliveries_to_their_end(
    cli: Cli, state: delivery_pb2.DeliveryState.ValueType, code: int
) -> None:
    _delivery(cli, state)

    result = cli("emit", "--type", "a.b", "--wait")

    assert result.exit_code == code
    assert "  ops-smtp via ops-team: " in result.stdout


@pytest.mark.parametrize("reason", ["TARGET_DISABLED", "NO_RECIPIENTS", "TRANSPORT_NOT_AVAILABLE"])
def test_wait_does_not_wait_for_what_somebody_must_mend_first(cli: Cli, reason: str) -> None:
    _delivery(cli, delivery_pb2.DELIVERY_STATE_WAITING, reason)

    result = cli("emit", "--type", "a.b", "--wait")

    assert (result.exit_code, result.stderr) == (1, "")
    assert f"  ops-smtp via ops-team: waiting ({reason})" in result.stdout


def test_wait_waits_for_a_configuration_that_is_on_its_way(cli: Cli) -> None:
    _delivery(cli, delivery_pb2.DELIVERY_STATE_WAITING, "CONFIG_BEHIND")

    result = cli("emit", "--type", "a.b", "--wait", "--timeout", "0")

    assert result.exit_code == 1
    assert "not everything is settled" in result.stderr


def test_wait_gives_up_in_time(cli: Cli) -> None:
    record = pb.EventRecord(dispositions=[READY])
    cli.router.answers["GetEvent"] = pb.GetEventResponse(event=record)

    result = cli("emit", "--type", "a.b", "--wait", "--timeout", "0")

    assert result.exit_code == 1
    assert "not everything is settled" in result.stderr


def test_events_are_listed_by_every_filter(cli: Cli) -> None:
    line = (
        "event list --source backup --type backup.failed --min-severity error --resource a:b "
        "--task-id t --actor me --after 2026-05-21T00:00:00Z --before 2026-05-22T00:00:00+00:00"
    )

    assert cli(*line.split(), "--rule", "*", "--limit", "7").exit_code == 0

    (request,) = cli.router.received("ListEvents")
    expected = pb.EventFilter(
        sources=["backup"],
        types=["backup.failed"],
        min_severity=event_pb2.SEVERITY_ERROR,
        resource="a:b",
        task_id="t",
        actor="me",
        rule="*",
    )
    expected.after.FromJsonString("2026-05-21T00:00:00Z")
    expected.before.FromJsonString("2026-05-22T00:00:00Z")
    assert request.filter == expected
    assert request.page_size == 7


HOSTILE = "\x1b[31m[bold]red\x07\u202eevil\r\n\x9b2J"


def _hostile_events(request: Any) -> pb.ListEventsResponse:
    return pb.ListEventsResponse(
        events=[pb.EventRecord(event=event_pb2.Event(event_id="e1", subject=HOSTILE))]
    )


def test_the_text_of_an_event_is_shown_and_never_obeyed(cli: Cli) -> None:
    cli.router.answers["ListEvents"] = _hostile_events

    output = cli("event", "list", color=True).stdout

    assert r"\x1b[31m[bold]red\x07\u202eevil\r\n\x9b2J" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_documents_are_harmless_too_and_lose_nothing(cli: Cli, form: str) -> None:
    cli.router.answers["ListEvents"] = _hostile_events

    output = cli("event", "list", "-o", form).stdout

    assert not set(output) & set("\x1b\x07\u202e\r\x9b")
    (record,) = json.loads(output) if form == "json" else yaml.safe_load(output)
    assert record["event"]["subject"] == HOSTILE


def test_severities_are_words_in_documents(cli: Cli) -> None:
    event = event_pb2.Event(
        severity=event_pb2.SEVERITY_CRITICAL, labels={"severity": "SEVERITY_INFO"}
    )
    cli.router.answers["GetEvent"] = pb.GetEventResponse(event=pb.EventRecord(event=event))

    shown = json.loads(cli("event", "show", "e1", "-o", "json").stdout)["event"]

    assert shown["severity"] == "critical"
    assert shown["labels"] == {"severity": "SEVERITY_INFO"}


def test_show_joins_what_became_of_each_notification(cli: Cli) -> None:
    cli.router.answers["GetEvent"] = pb.GetEventResponse(
        event=pb.EventRecord(event=event_pb2.Event(event_id="e1"), dispositions=[HANDED_OFF])
    )
    dead = delivery_pb2.Delivery(
        delivery_id="d" * 32,
        state=delivery_pb2.DELIVERY_STATE_DEAD,
        reason="SMTP_5XX",
        detail="550 no such user",
    )
    cli.delivery.answers["ListDeliveries"] = delivery_service_pb2.ListDeliveriesResponse(
        deliveries=[dead]
    )

    assert "dead (SMTP_5XX): 550 no such user" in cli("event", "show", "e1").stdout
    assert list(cli.delivery.received("ListDeliveries")[0].filter.event_ids) == ["e1"]


def test_show_says_when_delivery_cannot_be_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.router.answers["GetEvent"] = pb.GetEventResponse(
        event=pb.EventRecord(event=event_pb2.Event(event_id="e1"), dispositions=[HANDED_OFF])
    )
    monkeypatch.setenv("IBS_NOTIFY_DELIVERY_ADDRESS", "127.0.0.1:1")

    result = cli("event", "show", "e1")

    assert result.exit_code == 0
    assert "unknown" in result.stdout
    assert "Delivery at 127.0.0.1:1 cannot be reached" in result.stderr
