"""What was acknowledged against what arrived: the total-queue check of Jepsen.

Producers log an id as attempted before they send it and as acknowledged after the answer; sinks log
each receipt. An event is *lost* where it was acknowledged, should have been told, and neither
arrived nor is visible in Delivery. It is *recovered* where it arrived although no answer came.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NOBODY = "-"
"""In a log: an event that no sink is told of; only the inbox has it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A sink received a message. ``answered`` is false where it hung up instead of saying so."""

    sink: str
    event_id: str
    message_id: str
    answered: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """One run. ``attempted`` maps each event id to the sinks that must hear of it.

    ``inbox`` are the ids that the Router lists; ``visible`` are (sink, event id) that Delivery
    lists as open, dead or cancelled; ``refused`` are events whose answer was a final error.
    """

    attempted: Mapping[str, frozenset[str]]
    acked: frozenset[str]
    receipts: Sequence[Receipt]
    inbox: frozenset[str]
    visible: frozenset[tuple[str, str]] = frozenset()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """``lost`` and ``unexpected`` are ``sink event-id``, duplicated ones with the message id.

    ``duplicated`` has an entry for each receipt after the first one of the same message;
    ``unanswered`` is how many of them followed a receipt that the sink did not confirm.
    ``renamed`` were told twice under different message ids, which nobody can recognise.
    """

    attempted: int
    acked: int
    received: int
    recovered: int
    unanswered: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    renamed: tuple[str, ...]
    unexpected: tuple[str, ...]
    not_in_inbox: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether everything is accounted for. Recognisable duplicates are allowed."""
        return not (
            self.lost or self.renamed or self.unexpected or self.not_in_inbox or self.refused
        )


def check(history: History) -> Verdict:
    """Judge a run whose queues were drained."""
    received = {(each.sink, each.event_id) for each in history.receipts}
    due = {
        (sink, event_id)
        for event_id in history.acked
        for sink in history.attempted.get(event_id, frozenset())
    }
    expected = {(sink, event_id) for event_id, sinks in history.attempted.items() for sink in sinks}
    duplicated = _duplicated(history.receipts)
    return Verdict(
        attempted=len(history.attempted),
        acked=len(history.acked),
        received=len(received),
        recovered=len({event_id for _, event_id in received} - history.acked),
        unanswered=_after_unanswered(history.receipts),
        lost=_lines(due - received - history.visible),
        duplicated=tuple(f"{each.sink} {each.event_id} {each.message_id}" for each in duplicated),
        renamed=_renamed(history.receipts),
        unexpected=_lines(received - expected),
        not_in_inbox=tuple(sorted(history.acked - history.inbox)),
        refused=history.refused,
    )


def _lines(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{sink} {event_id}" for sink, event_id in sorted(pairs))


def _duplicated(receipts: Sequence[Receipt]) -> Iterator[Receipt]:
    seen: set[tuple[str, str]] = set()
    for each in receipts:
        if (each.sink, each.message_id) in seen:
            yield each
        seen.add((each.sink, each.message_id))


def _after_unanswered(receipts: Sequence[Receipt]) -> int:
    """Repetitions that the sinks asked for themselves, by hanging up."""
    times = Counter((each.sink, each.message_id) for each in receipts)
    hung_up = Counter((each.sink, each.message_id) for each in receipts if not each.answered)
    return sum(min(times[key] - 1, count) for key, count in hung_up.items())


def _renamed(receipts: Sequence[Receipt]) -> tuple[str, ...]:
    names: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in receipts:
        names[each.sink, each.event_id].add(each.message_id)
    return _lines(pair for pair, ids in names.items() if len(ids) > 1)


@dataclass(slots=True)
class ProducerLog:
    """What producers wrote, read back."""

    attempted: dict[str, frozenset[str]] = field(default_factory=dict)
    acked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    configured: int = 0
    """The number of the last change of the configuration that was acknowledged."""

    def read(self, path: Path) -> None:
        """Add the log at ``path``."""
        for what, first, *rest in _records(path):
            match what:
                case "attempted":
                    sinks = rest[0].split(",")
                    self.attempted[first] = frozenset(each for each in sinks if each != NOBODY)
                case "acked":
                    self.acked.add(first)
                case "refused":
                    self.refused.append(" ".join([first, *rest]))
                case "configured":
                    self.configured = max(self.configured, int(first))
                case _:
                    raise ValueError(f"{path}: unknown record {what!r}")


def read_receipts(path: Path) -> list[Receipt]:
    """What a sink wrote."""
    return [
        Receipt(sink, event_id, message_id, answered=what == "received")
        for what, sink, event_id, message_id in _records(path)
    ]


def _records(path: Path) -> Iterator[list[str]]:
    """The whole lines of a log; what a process that was killed left of its last line is none."""
    text = path.read_text() if path.exists() else ""
    for line in text.split("\n")[:-1]:
        yield line.split(" ")
