"""What became of an event, for a line of a list: targets by how far it came for each. Pure.

The Router knows what it handed to Delivery, and only Delivery knows whether it arrived. Until it
has said so, an event was sent to a target, and that is all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from ibs_notify.console.wording import meanings, words
from ibs_notify.domain.reason_words import reason
from ibs_notify.rpc.convert import moment_from_proto
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_OF_EVENT = 20
"""Of more messages about an event a line of a list tells only of so many: its page has them all."""
JUST_NOW = timedelta(seconds=1)
"""So long it takes at most to hand on what nothing holds."""
_READY = disposition_pb2.DISPOSITION_STATE_READY
_HANDED_OFF = disposition_pb2.DISPOSITION_STATE_HANDED_OFF
_COALESCED = disposition_pb2.DISPOSITION_STATE_COALESCED
_TONES: Mapping[int, str] = {
    delivery_pb2.DELIVERY_STATE_DEAD: "bad",
    delivery_pb2.DELIVERY_STATE_CANCELLED: "bad",
    delivery_pb2.DELIVERY_STATE_WAITING: "warn",
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT: "warn",
    delivery_pb2.DELIVERY_STATE_DELIVERED: "good",
    delivery_pb2.DELIVERY_STATE_DIGESTED: "good",
}
_Standing: TypeAlias = tuple[int, str]
"""A state, and what stands in the way."""
_UNKNOWN: _Standing = (delivery_pb2.DELIVERY_STATE_UNSPECIFIED, "")
_ACCEPTED = "ACCEPTED"
_WORST_FIRST = (
    delivery_pb2.DELIVERY_STATE_DEAD,
    delivery_pb2.DELIVERY_STATE_CANCELLED,
    delivery_pb2.DELIVERY_STATE_WAITING,
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery of the event with that sequence, and the target it is for."""

    sequence: int
    delivery_id: str
    target: str

    @classmethod
    def read(cls, text: str) -> Sent | None:
        """As ``str`` writes it; None for anything else."""
        sequence, _, rest = text.partition(" ")
        delivery_id, _, target = rest.partition(" ")
        if not (sequence.isascii() and sequence.isdigit() and len(sequence) < 19 and target):
            return None
        return cls(int(sequence), delivery_id, target)

    def __str__(self) -> str:
        return f"{self.sequence} {self.delivery_id} {self.target}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The targets for which it came so far, each once. ``tone``: good, bad, warn or nothing."""

    word: str
    targets: Sequence[str]
    meaning: str = ""
    tone: str = ""


def sent_of(record: pb.EventRecord) -> list[Sent]:
    """What of an event Delivery is to be asked about."""
    return [
        Sent(record.sequence, each.delivery_id, each.target)
        for each in record.dispositions
        if each.state == _HANDED_OFF and each.delivery_id
    ]


def kept_back(record: pb.EventRecord, now: datetime) -> list[Outcome]:
    """What of an event was not handed to Delivery, or not yet."""
    is_new = now < moment_from_proto(record.receive_time) + JUST_NOW
    taken = {each.target for each in record.dispositions if each.state != _COALESCED}
    found: dict[tuple[str, str], list[str]] = {}
    for each in record.dispositions:
        # What another group takes to the same target is told there.
        if each.state != _HANDED_OFF and not (each.state == _COALESCED and each.target in taken):
            found.setdefault(_kept_back(each, is_new=is_new), []).append(each.target)
    return [Outcome(word, _once(targets), meaning) for (word, meaning), targets in found.items()]


def _kept_back(route: disposition_pb2.Disposition, *, is_new: bool) -> tuple[str, str]:
    """A word, and what it means."""
    word = words.disposition(route)
    if route.state != _READY:
        return word, meanings.of_disposition(route.state)
    word = words.WAITING if is_new and word == words.HELD else word
    return word, meanings.of_ready(word)


def unknown(sent: Iterable[Sent]) -> list[Outcome]:
    """As far as the Router alone knows."""
    targets = _once(each.target for each in sent)
    meaning = meanings.of_disposition(_HANDED_OFF)
    return [Outcome("sent to", targets, meaning)] if targets else []


def outcomes(
    sent: Sequence[Sent], deliveries: Iterable[delivery_pb2.Delivery]
) -> Mapping[int, list[Outcome]]:
    """By sequence, the worst first; a delivery that Delivery does not tell of was sent."""
    states = {each.delivery_id: (state_of(each), _obstacle(each)) for each in deliveries}
    found: dict[int, dict[_Standing, list[Sent]]] = {}
    for each in sent:
        state = states.get(each.delivery_id, _UNKNOWN)
        found.setdefault(each.sequence, {}).setdefault(state, []).append(each)
    return {sequence: _ordered(by_state) for sequence, by_state in found.items()}


def _ordered(by_state: Mapping[_Standing, Sequence[Sent]]) -> list[Outcome]:
    told: list[Outcome] = []
    for standing in sorted(by_state, key=_rank):
        state, obstacle = standing
        of_state = by_state[standing]
        if standing == _UNKNOWN:
            told += unknown(of_state)
            continue
        targets = _once(each.target for each in of_state)
        meaning = f"Not sent yet: {reason(obstacle)}." if obstacle else meanings.of_delivery(state)
        tone = "warn" if obstacle else _TONES.get(state, "")
        word = words.spoken(words.delivery_state(state))
        told.append(Outcome(word, targets, meaning, tone))
    return _folded(told)


def _folded(told: Iterable[Outcome]) -> list[Outcome]:
    """Each word once in a colour: what waits for several reasons is one line with all of them."""
    found: dict[tuple[str, str], Outcome] = {}
    for each in told:
        first = found.setdefault((each.word, each.tone), each)
        if first is not each:
            found[each.word, each.tone] = replace(
                first,
                targets=_once([*first.targets, *each.targets]),
                meaning=" ".join(_once([first.meaning, each.meaning])),
            )
    return list(found.values())


def _rank(standing: _Standing) -> tuple[int, int, str]:
    state, obstacle = standing
    worst = _WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)
    return worst - bool(obstacle), state, obstacle


def _obstacle(delivery: delivery_pb2.Delivery) -> str:
    """The reason of one that is queued and yet not on its way, such as a target that fails."""
    queued = delivery.state == delivery_pb2.DELIVERY_STATE_QUEUED
    return delivery.reason if queued and delivery.reason != _ACCEPTED else ""


def state_of(delivery: delivery_pb2.Delivery) -> int:
    """Of an entry of a digest that went out, where the digest itself stands."""
    digest = delivery.digest.state
    if delivery.state != delivery_pb2.DELIVERY_STATE_DIGESTED or not digest:
        return delivery.state
    return delivery.state if digest == delivery_pb2.DELIVERY_STATE_DELIVERED else digest


def _once(targets: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(targets))
