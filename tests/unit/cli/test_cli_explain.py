"""``explain``: who hears, who does not and why, readable in a terminal of 80 columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.command_line import Cli

from ibs_notify.cli.explain_view import show_explanation
from ibs_notify.cli.rule_view import joint
from ibs_notify.domain.errors import NotFound, Reason
from ibs_notify.rpc.convert import moment_to_proto
from ironcore.notification.v1 import delivery_pb2, disposition_pb2, event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

AT = datetime(2026, 5, 21, 2, 14, 36, tzinfo=UTC)


def rule(text: str, *parts: pb.RuleTrace, holds: bool = True, actual: str = "") -> pb.RuleTrace:
    return pb.RuleTrace(text=text, holds=holds, actual=actual, parts=parts)


def hearing() -> pb.SubscriptionExplanation:
    return pb.SubscriptionExplanation(
        group="ops-team",
        target="chat-ops",
        hears=True,
        sentence="The rule matches and nothing holds it back.",
        rule=rule(
            "severity >= error and (type = backup.failed or not actor = bob)",
            rule("severity >= error", actual="error"),
            rule(
                "type = backup.failed or not actor = bob",
                rule("type = backup.failed", actual="backup.failed"),
                rule("not actor = bob", rule("actor = bob", holds=False)),
            ),
        ),
        decisions=[
            pb.Decision(stage="scope", sentence="the group hears everything"),
            pb.Decision(stage="rule", sentence="the rule matches"),
            pb.Decision(stage="dedup", sentence="it is the first of its kind", pointer="evt-0"),
        ],
        disposition=disposition_pb2.Disposition(
            state=disposition_pb2.DISPOSITION_STATE_HANDED_OFF, delivery_id="3f9a1c0b52d7" + "0" * 9
        ),
        delivery=delivery_pb2.Delivery(
            delivery_id="3f9a1c0b52d7" + "0" * 9,
            state=delivery_pb2.DELIVERY_STATE_RETRY_WAIT,
            reason="HTTP_5XX",
            due_time=moment_to_proto(AT),
            attempts=[
                delivery_pb2.Attempt(
                    number=1,
                    start_time=moment_to_proto(AT),
                    outcome="retry",
                    code=503,
                    reply="\x1b[2J",
                )
            ],
        ),
    )


def unmatched() -> pb.SubscriptionExplanation:
    return pb.SubscriptionExplanation(
        group="on-call",
        target="pager",
        sentence="severity would have to be critical; it is error",
        rule=rule("severity >= critical", holds=False, actual="error"),
        decisions=[pb.Decision(stage="scope", sentence="it is attached")],
        near_misses=["severity is error, one below critical"],
    )


def silenced() -> pb.SubscriptionExplanation:
    return pb.SubscriptionExplanation(
        group="nightly",
        target="ops-smtp",
        sentence="A silence keeps it back.",
        rule=rule("*"),
        decisions=[
            pb.Decision(stage="silence", sentence="alice silenced it: disk swap", pointer="sil-7")
        ],
    )


def answer(*subscriptions: pb.SubscriptionExplanation, dry_run: bool = False) -> pb.ExplainResponse:
    return pb.ExplainResponse(
        event=event_pb2.Event(
            event_id="evt-1",
            type="backup.failed",
            severity=event_pb2.SEVERITY_ERROR,
            subject="Backup failed for vm/12345",
            resource="ibs-primary:production/vm/12345",
        ),
        subscriptions=subscriptions,
        revision=7,
        dry_run=dry_run,
    )


@pytest.fixture(autouse=True)
def _router(cli: Cli) -> None:
    cli.router.answers["Explain"] = answer(unmatched(), silenced(), hearing())


def test_an_explanation_says_first_who_hears_then_who_does_not(cli: Cli) -> None:
    assert cli("explain", "evt-1").stdout.splitlines() == [
        "evt-1  error  backup.failed",
        "  Backup failed for vm/12345",
        "  about ibs-primary:production/vm/12345",
        "",
        "1 hears of it, 2 do not, by the rules of revision 7.",
        "",
        "✓ chat-ops via ops-team",
        "  The rule matches and nothing holds it back.",
        "  rule",
        "    ✓ all of",
        "      ✓ severity >= error — it is error",
        "      ✓ any of",
        "        ✓ type = backup.failed — it is backup.failed",
        "        ✓ not",
        "          ✗ actor = bob — it is empty",
        "  scope     the group hears everything",
        "  dedup     it is the first of its kind (evt-0)",
        "  delivery  3f9a1c0b52d7: retry wait (HTTP_5XX)",
        r"            1. 2026-05-21 02:14:36Z retry 503: \x1b[2J",
        "            next try at 2026-05-21 02:14:36Z",
        "",
        "✗ pager via on-call: severity would have to be critical; it is error",
        "",
        "✗ ops-smtp via nightly",
        "  A silence keeps it back.",
        "  rule",
        "    ✓ *",
        "  silence  alice silenced it: disk swap (sil-7)",
    ]


def test_verbose_shows_the_rule_that_did_not_match_and_how_near_it_came(cli: Cli) -> None:
    shown = cli("explain", "evt-1", "--verbose").stdout

    assert "✗ severity >= critical — it is error" in shown
    assert "scope  it is attached" in shown
    assert "near miss: severity is error, one below critical" in shown


def test_why_not_says_what_would_have_to_differ_and_what_came_near(cli: Cli) -> None:
    cli.router.answers["Explain"] = answer(hearing(), unmatched())

    shown = cli("explain", "evt-1", "--why-not").stdout.splitlines()

    assert shown[-3:] == [
        "",
        "✗ pager via on-call: severity would have to be critical; it is error",
        "  near miss: severity is error, one below critical",
    ]
    assert not any("chat-ops" in line for line in shown)


def test_why_not_of_a_target_that_hears_says_that_it_does(cli: Cli) -> None:
    cli.router.answers["Explain"] = answer(hearing())

    shown = cli("explain", "evt-1", "--target", "chat-ops", "--why-not").stdout

    assert "✓ chat-ops via ops-team: The rule matches and nothing holds it back." in shown
    assert "all of" not in shown
    assert cli.router.received("Explain")[0] == pb.ExplainRequest(
        event_id="evt-1", target="chat-ops"
    )


def test_a_target_that_no_group_tells_is_said_with_the_command_that_helps(cli: Cli) -> None:
    cli.router.answers["Explain"] = answer()

    shown = cli("explain", "evt-1", "--target", "pager").stdout

    assert "No group tells pager" in shown
    assert "group target add --help" in shown


def test_a_notice_that_only_the_inbox_has_asks_for_no_target(cli: Cli) -> None:
    cli.router.answers["Explain"] = pb.ExplainResponse(own=True)

    assert cli("explain", "evt-1").stdout.splitlines()[-1] == "Only the inbox has it."


def test_what_is_held_names_no_time_of_a_next_try(cli: Cli) -> None:
    held = hearing()
    held.delivery.state = delivery_pb2.DELIVERY_STATE_QUEUED
    held.delivery.reason = "HELD"
    cli.router.answers["Explain"] = answer(held)

    shown = cli("explain", "evt-1").stdout

    assert "delivery  3f9a1c0b52d7: queued (HELD)" in shown
    assert "next try" not in shown


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (answer(hearing(), hearing()), "2 hear of it, by the rules of revision 7."),
        (answer(hearing(), unmatched()), "1 hears of it, 1 does not, by the rules of revision 7."),
        (answer(unmatched()), "Nobody hears of it, by the rules of revision 7."),
        (
            answer(unmatched(), dry_run=True),
            "Nobody would hear of it, by the rules of revision 7. Nothing is stored or sent.",
        ),
    ],
)
def test_the_answer_in_one_sentence(cli: Cli, given: pb.ExplainResponse, sentence: str) -> None:
    cli.router.answers["Explain"] = given

    assert sentence in cli("explain", "evt-1").stdout.splitlines()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (answer(hearing()), "chat-ops hears of it, by the rules of revision 7."),
        (answer(hearing(), unmatched()), "chat-ops hears of it, by the rules of revision 7."),
        (answer(unmatched()), "chat-ops does not hear of it, by the rules of revision 7."),
        (
            answer(unmatched(), dry_run=True),
            "chat-ops would not hear of it, by the rules of revision 7. Nothing is stored or sent.",
        ),
    ],
)
def test_of_one_target_the_answer_speaks_of_that_alone(
    cli: Cli, given: pb.ExplainResponse, sentence: str
) -> None:
    cli.router.answers["Explain"] = given

    assert sentence in cli("explain", "evt-1", "--target", "chat-ops").stdout.splitlines()


def test_an_event_of_a_file_is_looked_at_and_not_sent(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"type": "backup.failed", "severity": "error"}')

    assert cli("explain", "--event", str(path)).exit_code == 0
    assert cli("explain", "--event", "-", input='{"type": "a.b"}').exit_code == 0

    first, second = cli.router.received("Explain")
    assert first.event == event_pb2.Event(type="backup.failed", severity=event_pb2.SEVERITY_ERROR)
    assert second.event.type == "a.b"
    assert [call.method for call in cli.router.calls] == ["Explain", "Explain"]


@pytest.mark.parametrize("line", ["explain", "explain evt-1 --event event.json"])
def test_either_an_id_or_a_file_is_explained(cli: Cli, line: str) -> None:
    assert cli(*line.split()).exit_code == 2


def test_an_unknown_event_has_exit_code_3(cli: Cli) -> None:
    cli.router.answers["Explain"] = NotFound(Reason.EVENT_NOT_FOUND, "no such event")

    assert cli("explain", "evt-9").exit_code == 3


def test_programs_get_all_of_it_and_warnings_go_aside(cli: Cli) -> None:
    given = answer(hearing(), unmatched())
    given.warnings.append("Delivery does not answer")
    cli.router.answers["Explain"] = given

    result = cli("explain", "evt-1", "-o", "json")

    assert [each["hears"] for each in json.loads(result.stdout)["subscriptions"]] == [True, False]
    assert result.stderr == "warning: Delivery does not answer\n"


def test_a_delivery_that_cannot_be_asked_for_is_named(cli: Cli) -> None:
    away = hearing()
    away.ClearField("delivery")
    cli.router.answers["Explain"] = answer(away)

    assert "delivery  3f9a1c0b52d7: how far it is is not known" in cli("explain", "evt-1").stdout


def test_on_a_terminal_no_line_is_longer_than_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    given = answer(hearing(), unmatched(), silenced())
    for each in given.subscriptions:
        each.sentence = f"{each.sentence} " * 5
        each.rule.text += " or resource under /datastore/" + "x" * 200
        each.decisions[0].sentence = "word " * 50

    show_explanation(given, "", why_not=False, verbose=True)

    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    continued = next(lines[at + 1] for at, line in enumerate(lines) if line.startswith("  scope"))
    assert continued.startswith("            word word")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (rule("a = 1 and a = 11", rule("a = 1"), rule("a = 11")), "all of"),
        (rule("(a = 1) OR b = or", rule("a = 1"), rule("b = or")), "any of"),
        (rule("not (a = 1 or b = 2)", rule("a = 1 or b = 2")), "not"),
        (rule("severity in (error)", rule("severity = error")), ""),
    ],
)
def test_parts_are_joined_by_the_word_between_them(node: pb.RuleTrace, words: str) -> None:
    assert joint(node) == words
