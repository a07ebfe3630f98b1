"""An installation in which everything that somebody else wrote wants to run in the console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_pb2, group_pb2, target_pb2, token_pb2
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.event_pb2 import Event
from tests.browser.console_process import Console, running_console
from tests.browser.peers import Peers, running_peers
from tests.browser.vectors import VECTORS
from tests.system.installation import CALL_SECONDS, Installation, running_installation, until

TARGETS = 12
LONGEST_REPLY = 4000
_TEXTS = tuple(VECTORS.values())


@dataclass(frozen=True, slots=True)
class Hostile:
    """``event_ids`` in the order of the vectors."""

    console: Console
    event_ids: tuple[str, ...]
    targets: tuple[str, ...]
    groups: tuple[str, ...]

    def dead_deliveries(self) -> list[str]:
        """Ids of those that a peer refused, with a reply."""
        dead = self.console.installation.deliveries([delivery_pb2.DELIVERY_STATE_DEAD])
        return [each.delivery_id for each in dead]


@contextmanager
def running_hostile(home: Path) -> Iterator[Hostile]:
    """Filled and served, until the block ends."""
    with running_peers() as peers, running_installation(home) as installation:
        targets = [_target(installation, peers, number) for number in range(TARGETS)]
        groups = [_group(installation, name, number) for number, name in enumerate(targets)]
        _silence(installation)
        _tokens(installation)
        ids = _emit(installation)
        dead = [delivery_pb2.DELIVERY_STATE_DEAD]
        until(lambda: any(installation.deliveries(dead)), "a peer's reply is kept")
        with running_console(installation) as console:
            yield Hostile(console, tuple(ids), tuple(targets), tuple(groups))


def _share(number: int, of: int, room: int) -> str:
    """The ``number``-th part of the vectors, as one text of at most ``room`` characters."""
    return " ".join(_TEXTS[number::of])[:room]


def _target(installation: Installation, peers: Peers, number: int) -> str:
    path = f"reply-{number}"
    peers.replies[path] = (400, _share(number, TARGETS, LONGEST_REPLY))
    name = f"t{number}"
    hook = target_pb2.WebhookTarget(
        url=peers.url(f"{path}/'onmouseover=__pwned(1)?\"><b%20data-pwned>"),
        headers=[target_pb2.Header(name="X-Onload-Pwned", value="y")],
        body_template='{"<img data-pwned src=x onerror=__pwned(1)>": "{{event.subject}}"}',
    )
    said = _share(number, TARGETS, 250)
    installation.create_target(target_pb2.Target(name=name, description=said, webhook=hook))
    return name


def _group(installation: Installation, target: str, number: int) -> str:
    name = f"g{number}"
    group = group_pb2.Group(
        name=name,
        description=_share(number, TARGETS, 250),
        scope=group_pb2.GROUP_SCOPE_EVERYTHING,
        subscriptions=[
            group_pb2.Subscription(
                target=target,
                rule='subject contains "<img data-pwned src=x onerror=__pwned(1)>" or *',
            )
        ],
        rate_limit_per_minute=60,
    )
    request = config_pb.CreateGroupRequest(group=group)
    made = installation.config.CreateGroup(request, timeout=CALL_SECONDS).group
    installation.await_config(made.revision)
    return name


def _silence(installation: Installation) -> None:
    for text in _TEXTS[::16]:
        silence = router_pb.Silence(
            rule='actor = "\\"><img data-pwned src=x onerror=__pwned(1)>"',
            weekly="sat 22:00-24:00",
            comment=text,
        )
        request = router_pb.CreateSilenceRequest(silence=silence)
        installation.router.CreateSilence(request, timeout=CALL_SECONDS)


def _tokens(installation: Installation) -> None:
    for number in range(TARGETS):
        token = token_pb2.Token(
            name=f"k{number}",
            role=token_pb2.ROLE_VIEWER,
            description=_share(number, TARGETS, 250),
        )
        request = config_pb.CreateTokenRequest(token=token)
        installation.config.CreateToken(request, timeout=CALL_SECONDS)


def _emit(installation: Installation) -> list[str]:
    events = [_event(number) for number in range(len(_TEXTS))]
    request = router_pb.EmitBatchRequest(events=events)
    answer = installation.router.EmitBatch(request, timeout=CALL_SECONDS)
    refused = [each.error.message for each in answer.results if each.HasField("error")]
    assert not refused, refused
    return [event.event_id for event in events]


def _event(number: int) -> Event:
    """Each vector comes in each field of some event."""

    def text(offset: int, room: int = 1000) -> str:
        return _TEXTS[(number + offset * 17) % len(_TEXTS)][:room]

    return Event(
        event_id=f"evt/{number}/..//x:{number}",
        type="backup.failed" if number % 4 == 0 else "backup.completed",
        subject=text(0),
        summary=text(1),
        actor=text(2, 200),
        resource=text(3, 200),
        task_id=text(4, 200),
        task_url=text(5),
        links={text(6, 60) or "x": text(7), "runbook": text(0)},
        labels={text(8, 60) or "x": text(9), "site": text(10)},
        groups=[text(11, 60) or "x"] if number % 8 == 7 else [],
        dedup_key=text(12, 100),
    )
