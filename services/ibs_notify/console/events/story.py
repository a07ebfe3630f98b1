"""What became of an event for one subscription, as a timeline; what it points to, as links."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.console.rendering import segment
from ibs_notify.console.wording import meanings, words
from ibs_notify.domain.reason_words import reason
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb

MOST_ATTEMPTS = 12
LIMIT_REACHED = "LIMIT_REACHED"
_LET_GO = frozenset({"WITHIN_LIMIT", "UNLIMITED"})
NO_RECIPIENTS = "NO_RECIPIENTS"
FIRST_ATTEMPTS = 3
"""Of more attempts than the most, those in the middle are left out."""
_MOVING = (
    delivery_pb2.DELIVERY_STATE_QUEUED,
    delivery_pb2.DELIVERY_STATE_LEASED,
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT,
    delivery_pb2.DELIVERY_STATE_WAITING,
)
_ON_ITS_WAY = (
    disposition_pb2.DISPOSITION_STATE_READY,
    disposition_pb2.DISPOSITION_STATE_HANDED_OFF,
)
_SENT_ALONE = ("RULE_MATCHED", "RULE_UNREADABLE")
_NEEDY = ("bad", "warn")
_ATTEMPT_TONES = {"delivered": "good", "retry": "warn", "refused": "bad", "unknown": "warn"}


@dataclass(frozen=True, slots=True)
class Link:
    """Where something leads."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the timeline. ``tone``: good, bad, warn or nothing."""

    text: str
    tone: str = ""
    when: Timestamp | datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """``state`` in a word, and how it came to it. ``is_moving``: it may change by itself."""

    group: str
    target: str
    state: str
    tone: str
    is_moving: bool
    steps: tuple[Step, ...]
    links: tuple[Link, ...]
    meaning: str = ""
    """What ``state`` means, in a sentence."""
    recipients: tuple[delivery_pb2.RecipientOutcome, ...] = ()
    could_wait: bool = False
    """It went out by itself, where the digest of its group could have gathered it."""
    is_gathered: bool = False
    """The digest of its group gathers it."""
    target_uid: str = ""
    """As far as a delivery tells it."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the stories of an event came to the same, and the tone of the first of them."""

    word: str
    tone: str
    meaning: str
    count: int


def stories_of(explanations: Iterable[pb.SubscriptionExplanation]) -> list[Story]:
    """Of each subscription whose rule matched, those first that need somebody."""
    told = (_story(each) for each in explanations if each.disposition.obligation_id)
    return sorted(told, key=_need)


def told_stories_of(routes: Iterable[disposition_pb2.Disposition]) -> list[Story]:
    """As far as the event's own record tells, where no explanation is to be had."""
    return sorted((_story(_bare(each)) for each in routes), key=_need)


def shares_of(stories: Iterable[Story]) -> list[Share]:
    """What became of an event for how many, in the order of the stories: each word once, for all
    that pages say it of.
    """
    found: dict[str, list[Story]] = {}
    for each in stories:
        found.setdefault(words.spoken(each.state), []).append(each)
    return [
        Share(
            word, alike[0].tone, " ".join(dict.fromkeys(each.meaning for each in alike)), len(alike)
        )
        for word, alike in found.items()
    ]


def _need(story: Story) -> int:
    """What failed, what is on its way, what arrived, what was told elsewhere."""
    if story.tone in _NEEDY:
        return _NEEDY.index(story.tone)
    return len(_NEEDY) + (0 if story.is_moving else 1 if story.tone else 2)


def _bare(route: disposition_pb2.Disposition) -> pb.SubscriptionExplanation:
    return pb.SubscriptionExplanation(group=route.group, target=route.target, disposition=route)


def _story(told: pb.SubscriptionExplanation) -> Story:
    route, delivery = told.disposition, told.delivery
    known = told.HasField("delivery")
    state = words.delivery_state(delivery.state) if known else before_delivery(told)
    return Story(
        group=told.group,
        target=told.target,
        state=state,
        tone=words.delivery_tone(delivery.state) if known else "",
        is_moving=delivery.state in _MOVING if known else route.state in _ON_ITS_WAY,
        steps=(*_decisions(told), *_attempts(delivery), *_end(delivery)),
        links=tuple(_links(told)),
        meaning=(
            meanings.of_delivery(delivery.state) if known else meanings.of_disposition(route.state)
        ),
        recipients=tuple(delivery.recipients) if len(delivery.recipients) > 1 else (),
        could_wait=route.state in _ON_ITS_WAY and route.reason in _SENT_ALONE,
        is_gathered=route.reason == words.GATHERED,
        target_uid=delivery.target_uid,
    )


def before_delivery(told: pb.SubscriptionExplanation) -> str:
    """In a word, what no delivery tells yet."""
    decided = {each.reason for each in told.decisions}
    if LIMIT_REACHED in decided:
        return "held by the rate limit"
    return words.WAITING if decided & _LET_GO else words.disposition(told.disposition)


def _decisions(told: pb.SubscriptionExplanation) -> Iterable[Step]:
    """The one that settled it: who wants to know of the others asks why."""
    if told.decisions:
        last = told.decisions[-1]
        accepted = told.delivery.create_time if told.HasField("delivery") else None
        yield Step(_sentence(last.sentence or last.reason), when=accepted)
    suppressed = told.disposition.suppressed_count
    if suppressed:
        yield Step(f"It also stands for {words.counted(suppressed, 'identical event')} before it")


def _attempts(delivery: delivery_pb2.Delivery) -> Iterable[Step]:
    attempts, folded = list(delivery.attempts), 0
    if len(attempts) > MOST_ATTEMPTS:
        folded = len(attempts) - MOST_ATTEMPTS
        del attempts[FIRST_ATTEMPTS : FIRST_ATTEMPTS + folded]
    for place, each in enumerate(attempts):
        if folded and place == FIRST_ATTEMPTS:
            yield Step(f"{words.counted(folded, 'more attempt')}: the task has them all")
        took = f" in {words.seconds(each.duration)}" if each.HasField("duration") else ""
        again = "; an earlier one may have arrived too" if each.maybe_duplicate else ""
        why = f" ({reason(each.reason)})" if each.reason and each.outcome != "delivered" else ""
        reply = " ".join(filter(None, (str(each.code or ""), each.reply)))
        yield Step(
            f"Attempt {each.number}: {each.outcome or 'under way'}{why}{took}{again}",
            _ATTEMPT_TONES.get(each.outcome, ""),
            each.start_time,
            reply,
        )


def _end(delivery: delivery_pb2.Delivery) -> Iterable[Step]:
    why = f": {reason(delivery.reason)}" if delivery.reason else ""
    match delivery.state:
        case delivery_pb2.DELIVERY_STATE_RETRY_WAIT:
            yield Step("The next attempt", "", delivery.due_time)
        case delivery_pb2.DELIVERY_STATE_WAITING:
            yield Step(f"It waits until somebody acts{why}", "warn", None, delivery.detail)
        case delivery_pb2.DELIVERY_STATE_DEAD:
            yield Step(f"Given up{why}", "bad", delivery.close_time, delivery.detail)
        case delivery_pb2.DELIVERY_STATE_CANCELLED:
            yield Step(f"Cancelled{why}", "bad", delivery.close_time, delivery.detail)
        case delivery_pb2.DELIVERY_STATE_DIGEST_OPEN:
            yield Step("It goes out with its digest", "", delivery.digest.close_time)
        case delivery_pb2.DELIVERY_STATE_DIGESTED:
            yield Step("It went out with its digest", "good", delivery.close_time)
        case _:
            pass


def _links(told: pb.SubscriptionExplanation) -> Iterable[Link]:
    route, delivery = told.disposition, told.delivery
    pointer = segment(route.pointer)
    match route.state:
        case disposition_pb2.DISPOSITION_STATE_SILENCED if pointer:
            yield Link(f"/silences#{pointer}", "The silence")
        case disposition_pb2.DISPOSITION_STATE_SUPPRESSED if pointer:
            yield Link(f"/events/{segment(_event_of(route.pointer))}", "The event that was told")
        case disposition_pb2.DISPOSITION_STATE_COLLAPSED if pointer:
            yield Link(f"/events/{pointer}", "The summary")
        case disposition_pb2.DISPOSITION_STATE_READY:
            yield Link(f"/queue/{segment(route.group)}", "The queue")
        case _:
            pass
    waits = delivery.state == delivery_pb2.DELIVERY_STATE_WAITING
    if waits and delivery.reason == NO_RECIPIENTS:
        yield Link("/settings#f-default_recipients", "Default recipients")
    if delivery.digest.digest_id:
        yield Link(f"/digests/{segment(delivery.digest.digest_id)}", "The digest")
    if route.delivery_id:
        yield Link(f"/tasks/{segment(route.delivery_id)}", "The task")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _event_of(pointer: str) -> str:
    """Of an obligation, which is an event and a number, its event."""
    return pointer.rpartition("/")[0]
