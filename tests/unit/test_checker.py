"""The checker of the chaos runs finds what it is there to find."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.system.checker import History, ProducerLog, Receipt, check, read_receipts

ALL_WELL = History(
    attempted={
        "e1": frozenset({"chat"}),
        "e2": frozenset({"chat", "mail"}),
        "e3": frozenset(),
    },
    acked=frozenset({"e1", "e2", "e3"}),
    receipts=(
        Receipt("chat", "e1", "m1"),
        Receipt("chat", "e2", "m2"),
        Receipt("mail", "e2", "m3"),
    ),
    inbox=frozenset({"e1", "e2", "e3"}),
)


def changed(**fields: Any) -> History:
    return dataclasses.replace(ALL_WELL, **fields)


def test_a_run_in_which_everything_arrived_once_is_sound() -> None:
    verdict = check(ALL_WELL)
    assert verdict.sound
    assert (verdict.attempted, verdict.acked, verdict.received) == (3, 3, 3)
    assert not verdict.duplicated
    assert verdict.recovered == 0


def test_an_acknowledged_event_that_one_sink_never_saw_is_lost() -> None:
    verdict = check(changed(receipts=ALL_WELL.receipts[:2]))
    assert verdict.lost == ("mail e2",)
    assert not verdict.sound


def test_an_undelivered_event_that_delivery_can_show_is_not_lost() -> None:
    verdict = check(changed(receipts=ALL_WELL.receipts[:2], visible=frozenset({("mail", "e2")})))
    assert verdict.lost == ()
    assert verdict.sound


def test_an_event_without_an_answer_may_be_missing() -> None:
    verdict = check(
        changed(
            acked=frozenset({"e1", "e3"}),
            receipts=ALL_WELL.receipts[:1],
            inbox=frozenset({"e1", "e3"}),
        )
    )
    assert verdict.sound
    assert verdict.recovered == 0


def test_an_event_that_arrived_without_an_answer_is_recovered() -> None:
    verdict = check(changed(acked=frozenset({"e1", "e3"})))
    assert verdict.recovered == 1
    assert verdict.sound


def test_a_second_receipt_of_a_message_is_a_duplicate_that_may_be() -> None:
    again = Receipt("chat", "e1", "m1")
    verdict = check(changed(receipts=(*ALL_WELL.receipts, again, again)))
    assert verdict.duplicated == ("chat e1 m1", "chat e1 m1")
    assert verdict.unanswered == 0
    assert verdict.sound


def test_a_duplicate_after_the_sink_hung_up_is_the_sinks_own() -> None:
    first = Receipt("chat", "e1", "m1", answered=False)
    verdict = check(changed(receipts=(first, *ALL_WELL.receipts)))
    assert len(verdict.duplicated) == 1
    assert verdict.unanswered == 1


def test_a_repetition_under_another_id_is_an_error() -> None:
    verdict = check(changed(receipts=(*ALL_WELL.receipts, Receipt("chat", "e1", "m9"))))
    assert verdict.renamed == ("chat e1",)
    assert not verdict.sound


@pytest.mark.parametrize(
    "receipt",
    [Receipt("chat", "e9", "m9"), Receipt("mail", "e1", "m9"), Receipt("chat", "e3", "m9")],
    ids=["nobody sent it", "not for this sink", "for no sink"],
)
def test_a_message_that_should_not_be_is_unexpected(receipt: Receipt) -> None:
    verdict = check(changed(receipts=(*ALL_WELL.receipts, receipt)))
    assert verdict.unexpected == (f"{receipt.sink} {receipt.event_id}",)
    assert not verdict.sound


def test_an_acknowledged_event_that_the_inbox_lacks_is_named() -> None:
    verdict = check(changed(inbox=frozenset({"e1", "e2"})))
    assert verdict.not_in_inbox == ("e3",)
    assert not verdict.sound


def test_a_final_error_is_never_sound() -> None:
    assert not check(changed(refused=("e4 INTERNAL",))).sound


def test_the_logs_are_read_back_up_to_a_line_that_was_cut_off(tmp_path: Path) -> None:
    log, path = ProducerLog(), tmp_path / "producer.log"
    path.write_text(
        "attempted e1 chat,mail\nattempted e2 -\nacked e1\nconfigured 7\n"
        "refused e2 INTERNAL\nacked e"
    )
    log.read(path)
    assert log.attempted == {"e1": frozenset({"chat", "mail"}), "e2": frozenset()}
    assert log.acked == {"e1"}
    assert log.refused == ["e2 INTERNAL"]
    assert log.configured == 7


def test_receipts_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "sink.log"
    path.write_text("received chat e1 m1\nunanswered mail e2 <m2@x>\n")
    assert read_receipts(path) == [
        Receipt("chat", "e1", "m1"),
        Receipt("mail", "e2", "<m2@x>", answered=False),
    ]
    assert read_receipts(tmp_path / "absent.log") == []
