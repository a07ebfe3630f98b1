"""A Router with a configuration on disk and nobody to hand off to: the cost of Emit alone."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.channel import open_anonymous_channel
from ibs_notify.rpc.lifecycle import spare_the_collector
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2, group_pb2


def snapshot(rules: int) -> config_service_pb2.ConfigSnapshot:
    """``rules`` subscriptions; two match a failed backup, of two groups on two targets.

    What the load emits again and again is told to ``chat``, whose group tells every event, and
    suppressed for ``pager``: each event makes one open obligation and one that is closed at once.
    """
    kept = config_service_pb2.ConfigSnapshot(revision=1)
    for name in ("chat", "pager"):
        target = kept.targets.add().target
        target.name, target.uid = name, f"uid-{name}"
        target.webhook.url = "http://127.0.0.1:1/"
        group = kept.groups.add(name=f"ops-{name}", uid=f"ops-{name}", rate_limit_per_minute=0)
        group.subscriptions.add(uid=f"sub-{name}", target=name, rule="severity >= error")
    kept.groups[0].dedup_window.FromTimedelta(timedelta(0))
    kept.groups[1].dedup_window.FromTimedelta(timedelta(days=7))
    for number in range(rules - 2):
        kept.groups.append(
            group_pb2.Group(
                name=f"g{number}",
                uid=f"g{number}",
                subscriptions=[
                    group_pb2.Subscription(
                        uid=f"s{number}",
                        target="chat",
                        rule=f"type = backup.failed and resource starts-with /datastore/d{number}/",
                    )
                ],
            )
        )
    return kept


async def in_force(settings: Settings) -> None:
    """Wait until the Router goes by its configuration."""
    async with open_anonymous_channel(settings, "router") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(health_pb2.HealthCheckRequest()):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return


async def main(home: Path, rules: int, database: str = "", certificates: str = "") -> None:
    """With ``certificates``, a directory of them, by TLS."""
    (home / "router-snapshot.pb").write_bytes(snapshot(rules).SerializeToString())
    nowhere = "127.0.0.1:1"
    settings = Settings(
        home=home,
        router_address="127.0.0.1:0",
        config_address=nowhere,
        delivery_address=nowhere,
        router_database=database,
        router_peer_address="127.0.0.1:0",
        tls_directory=certificates,
    )
    async with RouterApp(settings) as app:
        await in_force(replace(settings, router_address=f"127.0.0.1:{app.port}"))
        spare_the_collector()
        print(app.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
