"""What became of an event for a target, in a timeline."""

from __future__ import annotations

from typing import Any

import pytest

from ibs_notify.console.events.rule_tree import tree_of
from ibs_notify.console.events.story import (
    FIRST_ATTEMPTS,
    MOST_ATTEMPTS,
    Link,
    shares_of,
    stories_of,
)
from ironcore.notification.v1 import delivery_pb2, disposition_pb2
from ironcore.notification.v1 import router_service_pb2 as pb


def told(state: disposition_pb2.DispositionState.ValueType, **fields: Any) -> Any:
    route = disposition_pb2.Disposition(obligation_id="evt-1/0", group="ops", state=state)
    route.MergeFrom(disposition_pb2.Disposition(**fields))
    return pb.SubscriptionExplanation(group="ops", target="chat", disposition=route)


def delivered(state: delivery_pb2.DeliveryState.ValueType, attempts: int = 1) -> Any:
    explanation = told(disposition_pb2.DISPOSITION_STATE_HANDED_OFF, delivery_id="d1")
    delivery = explanation.delivery
    delivery.state = state
    for number in range(attempts):
        delivery.attempts.add(number=number + 1, outcome="retry")
    return explanation


def test_what_failed_is_told_first_and_what_was_told_elsewhere_last() -> None:
    explanations = [
        told(disposition_pb2.DISPOSITION_STATE_COALESCED),
        delivered(delivery_pb2.DELIVERY_STATE_DELIVERED),
        told(disposition_pb2.DISPOSITION_STATE_READY),
        delivered(delivery_pb2.DELIVERY_STATE_RETRY_WAIT),
        delivered(delivery_pb2.DELIVERY_STATE_DELIVERED),
        delivered(delivery_pb2.DELIVERY_STATE_DEAD),
    ]
    stories = stories_of(explanations)
    assert [each.state for each in stories] == [
        "dead",
        "retry wait",
        "held",
        "delivered",
        "delivered",
        "sent by another group",
    ]
    assert [(each.word, each.tone, each.count) for each in shares_of(stories)] == [
        ("given up", "bad", 1),
        ("trying again", "warn", 1),
        ("held", "", 1),
        ("delivered", "good", 2),
        ("sent by another group", "", 1),
    ]


def test_what_pages_call_the_same_is_counted_once_as_what_needs_somebody() -> None:
    stories = stories_of(
        [
            delivered(delivery_pb2.DELIVERY_STATE_QUEUED),
            delivered(delivery_pb2.DELIVERY_STATE_WAITING),
        ]
    )
    (share,) = shares_of(stories)
    assert (share.word, share.tone, share.count) == ("waiting", "warn", 2)
    assert share.meaning.count(".") == 2


def test_who_does_not_hear_has_no_story() -> None:
    assert not stories_of([pb.SubscriptionExplanation(group="ops", target="chat")])


@pytest.mark.parametrize(
    ("explanation", "link"),
    [
        (
            told(disposition_pb2.DISPOSITION_STATE_SILENCED, pointer="sil-1"),
            Link("/silences#sil-1", "The silence"),
        ),
        (
            told(disposition_pb2.DISPOSITION_STATE_SUPPRESSED, pointer="a/b/3"),
            Link("/events/a%2Fb", "The event that was told"),
        ),
        (
            told(disposition_pb2.DISPOSITION_STATE_COLLAPSED, pointer="evt-9"),
            Link("/events/evt-9", "The summary"),
        ),
        (told(disposition_pb2.DISPOSITION_STATE_READY), Link("/queue/ops", "The queue")),
        (delivered(delivery_pb2.DELIVERY_STATE_DEAD), Link("/tasks/d1", "The task")),
    ],
)
def test_a_pointer_is_a_link(explanation: pb.SubscriptionExplanation, link: Link) -> None:
    (story,) = stories_of([explanation])
    assert story.links == (link,)


@pytest.mark.parametrize(
    ("explanation", "moves"),
    [
        (told(disposition_pb2.DISPOSITION_STATE_READY), True),
        (told(disposition_pb2.DISPOSITION_STATE_SILENCED), False),
        # Delivery does not answer.
        (told(disposition_pb2.DISPOSITION_STATE_HANDED_OFF), True),
        (delivered(delivery_pb2.DELIVERY_STATE_RETRY_WAIT), True),
        (delivered(delivery_pb2.DELIVERY_STATE_DELIVERED), False),
        (delivered(delivery_pb2.DELIVERY_STATE_DIGEST_OPEN), False),
    ],
)
def test_what_may_change_by_itself_is_looked_at_again(
    explanation: pb.SubscriptionExplanation, moves: bool
) -> None:
    (story,) = stories_of([explanation])
    assert story.is_moving is moves


def test_of_very_many_attempts_the_first_and_the_last_are_told() -> None:
    (story,) = stories_of([delivered(delivery_pb2.DELIVERY_STATE_RETRY_WAIT, MOST_ATTEMPTS + 8)])
    texts = [step.text for step in story.steps]
    assert texts[FIRST_ATTEMPTS] == "8 more attempts: the task has them all"
    assert texts[0] == "Attempt 1: retry"
    assert texts[FIRST_ATTEMPTS + 1] == "Attempt 12: retry"
    assert texts[-2] == "Attempt 20: retry"


def test_a_rule_is_a_tree_of_what_joins_its_parts() -> None:
    parts = [
        pb.RuleTrace(text="type = a.b", holds=True, actual="a.b"),
        pb.RuleTrace(
            text="not actor = or",
            parts=[pb.RuleTrace(text="actor = or", holds=True, actual="or")],
        ),
    ]
    node = tree_of(pb.RuleTrace(text="type = a.b and (not actor = or)", parts=parts))
    assert (node.text, node.holds) == ("all of", False)
    assert [each.text for each in node.parts] == ["type = a.b", "not"]
    assert node.parts[1].parts[0].actual == "or"
    assert not tree_of(pb.RuleTrace(text="*", holds=True)).looks


@pytest.mark.parametrize(
    ("reason", "decision", "word"),
    [
        ("RULE_MATCHED", "LIMIT_REACHED", "held by the rate limit"),
        ("RULE_MATCHED", "WITHIN_LIMIT", "waiting"),
        ("RULE_MATCHED", "UNLIMITED", "waiting"),
        ("RULE_MATCHED", "", "held"),
        ("GATHERED", "GATHERED", "for the digest"),
    ],
)
def test_what_is_not_handed_over_yet_says_what_it_waits_for(
    reason: str, decision: str, word: str
) -> None:
    explanation = told(disposition_pb2.DISPOSITION_STATE_READY, reason=reason)
    explanation.decisions.add(reason=decision)
    (story,) = stories_of([explanation])
    assert story.state == word
