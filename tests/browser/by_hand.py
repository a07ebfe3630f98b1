"""What the scenarios of main tasks begin with, and how they see that something happened."""

from __future__ import annotations

from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import delivery_pb2, group_pb2, target_pb2
from ironcore.notification.v1 import router_service_pb2 as router_pb
from ironcore.notification.v1.delivery_pb2 import DeliveryState
from ironcore.notification.v1.event_pb2 import Event
from tests.browser.console_process import Console
from tests.browser.peers import Peers
from tests.system.installation import CALL_SECONDS, Installation, until

DEAD = delivery_pb2.DELIVERY_STATE_DEAD
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
RETRY_WAIT = delivery_pb2.DELIVERY_STATE_RETRY_WAIT
CANCELLED = delivery_pb2.DELIVERY_STATE_CANCELLED


def emit(
    installation: Installation, subject: str, kind: str = "backup.failed", resource: str = ""
) -> str:
    """An event of the type ``kind``; returns its id."""
    event = Event(type=kind, subject=subject, resource=resource)
    request = router_pb.EmitRequest(event=event)
    return installation.router.Emit(request, timeout=CALL_SECONDS).event_id


def states_of(installation: Installation, target: str) -> list[DeliveryState.ValueType]:
    """Of every delivery to ``target``."""
    return [each.state for each in installation.deliveries() if each.target == target]


def await_states(installation: Installation, target: str, *states: DeliveryState.ValueType) -> None:
    """Until the deliveries to ``target`` are in ``states``, in whatever order."""
    until(
        lambda: sorted(states_of(installation, target)) == sorted(states),
        f"the deliveries to {target} are {[DeliveryState.Name(each) for each in states]}",
    )


def told_webhook(console: Console, peers: Peers, name: str, answer: int = 204) -> None:
    """A webhook and a group that tells it of what has its name in the subject.

    The peer answers ``answer`` until ``peers.replies[name]`` says otherwise.
    """
    peers.replies[name] = (answer, "as the test wants it")
    console.installation.create_webhook(name, peers.url(name))
    console.installation.create_group(f"{name}-team", {name: f'subject contains "{name}"'})


def target_of(installation: Installation, name: str) -> target_pb2.Target:
    request = config_pb.GetTargetRequest(name=name)
    return installation.config.GetTarget(request, timeout=CALL_SECONDS).target


def group_of(installation: Installation, name: str) -> group_pb2.Group:
    request = config_pb.GetGroupRequest(name=name)
    return installation.config.GetGroup(request, timeout=CALL_SECONDS).group


def names_of_groups(installation: Installation) -> list[str]:
    request = config_pb.ListGroupsRequest(page_size=1000)
    return [each.name for each in installation.config.ListGroups(request).groups]
