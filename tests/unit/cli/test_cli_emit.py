"""Emitting events on the command line, and looking at them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.command_line import Cli

from ibs_notify.cli.emit_stream import chunks
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


def _answer_each(request: Any) -> pb.EmitBatchResponse:
    return pb.EmitBatchResponse(
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

    assert result.stdout == "evt-1 accepted: ops-smtp via ops-team (ready)\n"
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
    cli.router.answers["EmitBatch"] = _answer_each
    lines = '{"type": "a.b", "event_id": "e1"}\n\nnot json\n{"severity": "info"}\n'

    result = cli("emit", "--stdin", input=lines)

    assert result.exit_code == 4
    first, second, third = result.stdout.splitlines()
    assert first == "e1 accepted: only the inbox has it"
    assert second.startswith("line 3 refused: not JSON")
    assert third == "line 4 refused: type: is missing"
    assert result.stderr == "1 accepted, 0 accepted before, 2 refused\n"


def test_answers_for_programs_are_a_document_a_line(cli: Cli) -> None:
    cli.router.answers["EmitBatch"] = _answer_each
    lines = '{"type": "a.b", "event_id": "e1"}\n{"type": "a.b", "event_id": "e2"}\n'

    as_json = cli("emit", "--stdin", "-o", "json", input=lines).stdout.splitlines()
    as_yaml = list(yaml.safe_load_all(cli("emit", "--stdin", "-o", "yaml", input=lines).stdout))

    assert [json.loads(each)["accepted"]["event_id"] for each in as_json] == ["e1", "e2"]
    assert [json.loads(each) for each in as_json] == as_yaml


def test_events_go_in_batches_of_at_most_a_thousand(cli: Cli) -> None:
    cli.router.answers["EmitBatch"] = _answer_each
    lines = '{"type": "a.b"}\n' * 2500

    assert cli("emit", "--stdin", input=lines).exit_code == 0

    sizes = [len(each.events) for each in cli.router.received("EmitBatch")]
    assert sizes == [1000, 1000, 500]


def test_a_batch_stays_under_the_size_of_a_message() -> None:
    line = json.dumps({"type": "a.b", "summary": "x" * 32_000}).encode() + b"\n"

    found = list(chunks(io.BytesIO(line * 300)))

    assert sum(len(each) for each in found) == 300
    for chunk in found:
        assert sum(line.event.ByteSize() for line in chunk if line.event) <= 3 * 1024 * 1024


def test_lines_that_arrived_are_sent_without_waiting_for_more() -> None:
    class Trickle(io.BytesIO):
        """A pipe whose writer pauses after each line."""

        def read1(self, _size: int | None = -1) -> bytes:
            return self.readline()

    found = chunks(Trickle(b'{"type": "a.b"}\n{"type": "c.d"}'))

    assert [len(each) for each in found] == [1, 1]


def test_a_service_that_goes_away_midway_ends_with_what_is_stored(cli: Cli) -> None:
    def fail_after_the_first(request: Any) -> pb.EmitBatchResponse | Unavailable:
        if len(cli.router.received("EmitBatch")) > 1:
            return Unavailable(Reason.STORAGE_UNAVAILABLE, "locked")
        return _answer_each(request)

    cli.router.answers["EmitBatch"] = fail_after_the_first

    result = cli("emit", "--stdin", input='{"type": "a.b"}\n' * 1001)

    assert result.exit_code == 5
    assert "1,000 accepted, 0 accepted before, 0 refused; then:\nerror: locked" in result.stderr


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


@pytest.mark.parametrize(
    ("reason", "code"),
    [("TARGET_DISABLED", 1), ("NO_RECIPIENTS", 1), ("TRANSPORT_NOT_AVAILABLE", 0)],
)
def test_wait_does_not_wait_for_what_somebody_must_mend_first(
    cli: Cli, reason: str, code: int
) -> None:
    _delivery(cli, delivery_pb2.DELIVERY_STATE_WAITING, reason)

    result = cli("emit", "--type", "a.b", "--wait")

    assert (result.exit_code, result.stderr) == (code, "")
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
