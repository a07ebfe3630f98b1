"""Deliveries, the ledger and the state of the services on the command line."""

from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.command_line import Cli

from ibs_notify.domain.errors import NotFound, Reason
from ironcore.notification.v1 import delivery_pb2, event_pb2, router_service_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb

ID = "3f9a1c0b52d7" + "0" * 20


@pytest.fixture(autouse=True)
def _delivery(cli: Cli) -> None:
    cli.delivery.answers["GetDelivery"] = lambda request: pb.GetDeliveryResponse(
        delivery=delivery_pb2.Delivery(
            delivery_id=ID,
            target="chat-ops",
            severity=event_pb2.SEVERITY_ERROR,
            state=delivery_pb2.DELIVERY_STATE_RETRY_WAIT,
            reason="HTTP_5XX",
            attempts=[delivery_pb2.Attempt(number=1, outcome="retry", code=503, reply="\x1b[2J")],
            recipients=[delivery_pb2.RecipientOutcome(address="a@example.com", code=250)],
        )
    )


def _count(cli: Cli, count: int) -> None:
    cli.delivery.answers["CancelDeliveries"] = pb.CancelDeliveriesResponse(count=count)
    cli.delivery.answers["RetryDeliveries"] = pb.RetryDeliveriesResponse(count=count)


def test_deliveries_are_listed_by_every_filter(cli: Cli) -> None:
    line = (
        "delivery list --target a --target b --target-uid u --group g --state dead "
        "--state retry-wait --reason SMTP_5XX --event e1 --after 2026-05-21T00:00:00Z"
    )

    assert cli(*line.split()).stdout == "no deliveries\n"

    expected = delivery_pb2.DeliveryFilter(
        targets=["a", "b"],
        target_uids=["u"],
        groups=["g"],
        states=[delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_RETRY_WAIT],
        reasons=["SMTP_5XX"],
        event_ids=["e1"],
    )
    expected.after.FromJsonString("2026-05-21T00:00:00Z")
    assert cli.delivery.received("ListDeliveries")[0].filter == expected


def test_a_list_ends_at_its_limit(cli: Cli) -> None:
    cli.delivery.answers["ListDeliveries"] = lambda request: pb.ListDeliveriesResponse(
        deliveries=[delivery_pb2.Delivery()] * request.page_size, next_page_token="more"
    )

    found = json.loads(cli("delivery", "list", "--limit", "1500", "-o", "json").stdout)

    assert len(found) == 1500
    assert [each.page_size for each in cli.delivery.received("ListDeliveries")] == [1000, 500]


def test_a_delivery_is_shown_with_its_attempts_and_recipients(cli: Cli) -> None:
    shown = cli("delivery", "show", "3f9a1c0b").stdout

    assert "retry wait (HTTP_5XX)" in shown
    assert "503" in shown
    assert r"\x1b[2J" in shown
    assert "a@example.com" in shown


@pytest.mark.parametrize(("verb", "method"), [("retry", "Retry"), ("cancel", "Cancel")])
def test_one_delivery_by_the_beginning_of_its_id_needs_no_confirmation(
    cli: Cli, verb: str, method: str
) -> None:
    _count(cli, 1)

    result = cli("delivery", verb, "3f9a1c0b")

    assert result.exit_code == 0
    dry, real = cli.delivery.received(f"{method}Deliveries")
    assert (dry.dry_run, real.dry_run) == (True, False)
    assert list(real.filter.delivery_ids) == [ID]


def test_many_deliveries_need_yes_where_nobody_can_be_asked(cli: Cli) -> None:
    _count(cli, 12)

    result = cli("delivery", "cancel", "--target", "chat-ops")

    assert result.exit_code == 2
    assert "12 deliveries would be cancelled: confirm it with --yes" in result.stderr
    assert all(each.dry_run for each in cli.delivery.received("CancelDeliveries"))


@pytest.mark.parametrize(("answer", "code", "calls"), [("y\n", 0, 2), ("n\n", 130, 1)])
def test_somebody_at_a_terminal_is_asked(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, calls: int
) -> None:
    monkeypatch.setattr("ibs_notify.cli.confirm.at_terminal", lambda: True)
    _count(cli, 12)

    result = cli("delivery", "retry", "--state", "dead", input=answer)

    assert result.exit_code == code
    assert len(cli.delivery.received("RetryDeliveries")) == calls


def test_yes_does_not_ask(cli: Cli) -> None:
    _count(cli, 12)

    assert cli("delivery", "retry", "--state", "dead", "--yes").stdout == "12 deliveries retried\n"


def test_a_dry_run_only_counts(cli: Cli) -> None:
    _count(cli, 12)

    result = cli("delivery", "cancel", "--group", "g", "--dry-run", "-o", "json")

    assert json.loads(result.stdout) == {"count": 12, "counts": [], "dry_run": True}
    assert len(cli.delivery.received("CancelDeliveries")) == 1


COUNTS = [
    pb.DeliveryCount(
        target="chat-ops",
        state=delivery_pb2.DELIVERY_STATE_DEAD,
        reason="HTTP_4XX",
        count=1_200,
    ),
    pb.DeliveryCount(
        target="mail", state=delivery_pb2.DELIVERY_STATE_DEAD, reason="SMTP_5XX", count=3
    ),
]


def test_what_would_be_retried_is_told_by_target_and_reason_first(cli: Cli) -> None:
    answer = pb.RetryDeliveriesResponse(count=1_203, counts=COUNTS)
    cli.delivery.answers["RetryDeliveries"] = answer

    told = cli("delivery", "retry", "--since", "1d", "--until", "2h", "--dry-run").stdout

    assert "1,200" in told
    assert "SMTP_5XX" in told
    assert told.endswith("1,203 deliveries would be retried\n")
    (asked,) = cli.delivery.received("RetryDeliveries")
    assert asked.filter.after.seconds < asked.filter.before.seconds


def test_a_list_can_only_count(cli: Cli) -> None:
    cli.delivery.answers["CountDeliveries"] = pb.CountDeliveriesResponse(counts=COUNTS, total=1203)

    told = cli("delivery", "list", "--state", "dead", "--count").stdout

    assert told.endswith("1,203 in all\n")
    assert cli.delivery.received("ListDeliveries") == []


def test_a_queue_is_held_and_released_once_it_was_said_how_much_that_is(cli: Cli) -> None:
    held = Timestamp(seconds=1_800_000_000)
    cli.delivery.answers["HoldDeliveries"] = pb.HoldDeliveriesResponse(held_since=held)
    told = "held since 2027-01-15 08:00:00Z: nothing is sent until delivery release\n"
    assert cli("delivery", "hold").stdout == told

    cli.delivery.answers["ReleaseDeliveries"] = pb.ReleaseDeliveriesResponse(
        held_since=held, count=12
    )
    assert cli("delivery", "release", "--dry-run").stdout == "12 deliveries would be sent\n"
    refused = cli("delivery", "release")
    assert refused.exit_code == 2
    assert "12 deliveries would be released" in refused.stderr
    assert all(each.dry_run for each in cli.delivery.received("ReleaseDeliveries"))
    released = cli("delivery", "release", "--yes")
    assert released.stdout == "released; to be sent: 12 deliveries\n"


def test_release_says_that_nothing_was_held(cli: Cli) -> None:
    assert cli("delivery", "release").stdout == "the queue is not held\n"
    assert [each.dry_run for each in cli.delivery.received("ReleaseDeliveries")] == [True]


def test_without_an_id_or_a_filter_nothing_is_retried(cli: Cli) -> None:
    assert cli("delivery", "retry", "--yes").exit_code == 2
    assert cli.delivery.calls == []


def test_an_unknown_delivery_has_exit_code_3(cli: Cli) -> None:
    cli.delivery.answers["GetDelivery"] = NotFound(Reason.DELIVERY_NOT_FOUND, "no such delivery")

    assert cli("delivery", "cancel", "deadbeef").exit_code == 3


def test_a_balanced_ledger_has_exit_code_0(cli: Cli) -> None:
    cli.router.answers["VerifyLedger"] = router_service_pb2.VerifyLedgerResponse(
        balanced=True,
        accepted_events=1234,
        lines=[router_service_pb2.LedgerLine(service="router", state="ready", count=1)],
    )

    result = cli("ledger", "verify")

    assert result.exit_code == 0
    assert "1,234 events accepted" in result.stdout
    assert result.stdout.endswith("balanced: everything is accounted for\n")


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_ledger_that_is_not_balanced_has_exit_code_1_and_names_the_ids(
    cli: Cli, form: str
) -> None:
    cli.router.answers["VerifyLedger"] = router_service_pb2.VerifyLedgerResponse(
        unaccounted_ids=["evt-1/0"], unaccounted_count=1
    )

    result = cli("ledger", "verify", "-o", form)

    assert result.exit_code == 1
    assert "evt-1/0" in result.stdout


def test_status_asks_every_service(cli: Cli) -> None:
    result = cli("status", "-o", "json")

    assert result.exit_code == 0
    assert [(each["service"], each["state"]) for each in json.loads(result.stdout)] == [
        ("config", "serving"),
        ("router", "serving"),
        ("delivery", "serving"),
    ]


@pytest.mark.parametrize("command", [("status",), ("target", "list")])
def test_a_queue_that_is_held_is_said_where_one_looks_first(
    cli: Cli, command: tuple[str, ...]
) -> None:
    cli.delivery.answers["ListTroubledTargets"] = pb.ListTroubledTargetsResponse(
        held_since=Timestamp(seconds=1_800_000_000)
    )

    result = cli(*command)

    assert result.exit_code == 0
    assert result.stderr == (
        "warning: the queue is held since 2027-01-15 08:00:00Z: nothing is sent to any target "
        "until delivery release\n"
    )


def test_a_service_that_is_away_has_exit_code_5(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_ROUTER_ADDRESS", "127.0.0.1:1")

    result = cli("status")

    assert result.exit_code == 5
    assert "cannot be reached" in result.stdout


def test_the_event_types_are_known_without_a_service(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBS_NOTIFY_CONFIG_ADDRESS", "127.0.0.1:1")

    rows = json.loads(cli("event-types", "list", "-o", "json").stdout)

    assert {"type": "backup.failed", "severity": "error"}.items() <= {
        key: value for row in rows if row["type"] == "backup.failed" for key, value in row.items()
    }.items()
    assert cli.config.calls == []
