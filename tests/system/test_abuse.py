"""Floods, storms and stalled readers at a real Router, with a good client beside them.

``python -m tests.system.abuse`` measures what the good client feels; here it is served, and nothing
stays behind: memory, descriptors, half an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ironcore.notification.v1 import router_service_pb2 as pb
from tests.system.abuse import Use, attacking, good_client
from tests.system.abusers import ATTACKS, Peer, call, message
from tests.system.installation import Installation, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = 0.6
MOST_MEBIBYTES = 100
"""More than before, whatever the attack: what fits into the buffers of connections and streams."""
UNREAD_WATCHES = 100


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("abuse") / "home") as installation:
        installation.start_and_wait()
        asyncio.run(good_client(installation.services["router"].address, 0.5))
        yield installation


def use(installation: Installation) -> Use:
    process = installation.services["router"].process
    assert process is not None
    return Use.of(process.pid)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_good_client_is_served_beside_an_attack_that_leaves_nothing_behind(
    installation: Installation, attack: str
) -> None:
    address = installation.services["router"].address
    before = use(installation)
    with attacking(attack, address) as attacker:
        attacker.until_begun()
        served = asyncio.run(good_client(address, SECONDS))
        during = use(installation)
    assert served.failed == 0
    assert during.mebibytes < before.mebibytes + MOST_MEBIBYTES
    until(
        lambda: use(installation).descriptors <= before.descriptors + 5,
        "the descriptors of the attack are closed",
    )
    books = installation.router.VerifyLedger(pb.VerifyLedgerRequest(), timeout=20)
    assert books.balanced


def test_watches_of_large_events_that_nobody_reads_keep_little_in_memory(
    installation: Installation,
) -> None:
    async def stall() -> float:
        peer = await Peer.connect(installation.services["router"].address, window=0)
        place = message(pb.WatchEventsRequest(resume_token=token).SerializeToString())
        for _ in range(UNREAD_WATCHES):
            peer.send(*call(peer, "WatchEvents", place))
        await peer.drain()
        await good_client(installation.services["router"].address, SECONDS)
        used = use(installation).mebibytes
        peer.close()
        return used

    watch = installation.router.WatchEvents(pb.WatchEventsRequest())
    token = next(iter(watch)).resume_token
    watch.cancel()
    large = pb.EmitRequest()
    large.event.type = "backup.completed"
    large.event.summary = "x" * 32_000
    large.event.labels.update({f"k{number}": "v" * 1000 for number in range(60)})
    for _ in range(200):
        installation.router.Emit(large)
    before = use(installation).mebibytes
    # All of them together would have it all: 200 events of 90 KB, for each of them.
    assert asyncio.run(stall()) < before + 2 * UNREAD_WATCHES
