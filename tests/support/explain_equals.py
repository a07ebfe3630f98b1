"""What ``Explain`` says of an event before it is sent, held against what ``Emit`` does with it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from ibs_notify.domain.catalogue import CATALOGUE
from ironcore.notification.v1 import disposition_pb2, event_pb2, group_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from tests.support.router import Surroundings, group, mail, metrics, webhook

TYPES = (*sorted(CATALOGUE), "custom.thing-failed")
RESOURCES = ("", "a:vm/1", "a:vm/2", "/datastore/a/vm/10", "b:ct/1", "/datastore/B/ct/1", "free")
ACTORS = ("", "alice", "bob@realm!token")
SUBJECTS = ("it failed", "it failed after 12 s", "it failed after 99 s", "", "Schlüssel 'x'")
GROUPS: Sequence[Sequence[str]] = ((), (), (), ("picked",), ("on-a",), ("picked", "nobody"))
RULES = (
    "*",
    "severity >= error",
    "type in (backup.failed, verify.corrupt)",
    "resource under /datastore/a or labels.env = prod",
    "not (severity = info or actor = alice)",
    "type starts-with backup. and not subject contains 99",
    "type matches *.failed and source != sync",
)
SILENCES = ("type = verify.stale", "actor = alice and severity < critical", "labels.quiet = yes")


def configuration(rng: random.Random) -> list[target_pb2.Target | group_pb2.Group]:
    """Groups of every scope, with and without windows and limits, that share their targets."""
    targets = [webhook("chat"), webhook("pager"), metrics("influx"), mail("empty")]
    targets.append(mail("mail", "ops@example.com", "oncall@example.com"))
    names = [each.name for each in targets]

    def rules() -> dict[str, str]:
        chosen = rng.sample(names, k=rng.randint(1, len(names)))
        return {name: rng.choice(RULES) for name in chosen}

    # None that could end between an explanation and what then happens.
    window = Duration(seconds=rng.choice((0, 300, 3600)))
    groups = [
        group("all", rules()),
        group("quick", rules(), dedup_window=window, rate_limit_per_minute=rng.choice((0, 5))),
        group(
            "on-a",
            rules(),
            scope=group_pb2.GROUP_SCOPE_ATTACHED,
            attachments=["/datastore/a", "/datastore/b/ct/1"],
        ),
        group("picked", rules(), scope=group_pb2.GROUP_SCOPE_SELECTED),
    ]
    return [*targets, *groups]


def events(rng: random.Random, count: int) -> Iterator[event_pb2.Event]:
    """Few kinds, so that they repeat each other and change what others said."""
    for number in range(count):
        event = event_pb2.Event(
            event_id=f"e{number}",
            type=rng.choice(TYPES[:6] if rng.random() < 0.7 else TYPES),
            severity=event_pb2.Severity.ValueType(rng.choice((0, 0, 0, 1, 3, 4, 5))),
            resource=rng.choice(RESOURCES),
            actor=rng.choice(ACTORS),
            subject=rng.choice(SUBJECTS),
            groups=rng.choice(GROUPS),
            dedup_key=rng.choice(("", "", "", "same")),
        )
        if rng.random() < 0.3:
            event.labels["env"] = rng.choice(("prod", "test"))
        if rng.random() < 0.05:
            event.labels["quiet"] = "yes"
        yield event


@dataclass(frozen=True, slots=True)
class Compared:
    """How many events were compared, and the states that their obligations had."""

    events: int
    states: dict[str, int]


class Differs(AssertionError):
    """An explanation was not what then happened."""


async def compare(around: Surroundings, rng: random.Random, count: int) -> Compared:
    """Explain each event, then emit it; ``Differs`` where the one is not what the other said."""
    for rule in SILENCES:
        silence = pb.Silence(rule=rule, comment="on purpose")
        silence.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        await around.stub.CreateSilence(pb.CreateSilenceRequest(silence=silence))
    states: dict[str, int] = {}
    for event in events(rng, count):
        explained = await around.stub.Explain(pb.ExplainRequest(event=event))
        emitted = await around.stub.Emit(pb.EmitRequest(event=event))
        expected = {(each.group, each.target): each for each in emitted.dispositions}
        found = {
            (each.group, each.target): each.disposition
            for each in explained.subscriptions
            if each.HasField("disposition")
        }
        if expected != found or list(emitted.warnings) != list(explained.warnings):
            raise Differs(f"{event}\nexplained: {explained}\nemitted: {emitted}")
        if not explained.dry_run or explained.event.event_id != event.event_id:
            raise Differs(f"not of the event that was given: {explained}")
        for subscription in explained.subscriptions:
            concerned = subscription.HasField("disposition")
            if (concerned and not subscription.rule.holds) or not subscription.sentence:
                raise Differs(f"it contradicts itself: {subscription}")
        for each in emitted.dispositions:
            name = disposition_pb2.DispositionState.Name(each.state)
            name = name.removeprefix("DISPOSITION_STATE_")
            states[name] = states.get(name, 0) + 1
    return Compared(count, states)
